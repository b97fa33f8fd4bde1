"""How compare gets to a cluster: kubeconfigs as kubectl reads them, credential plugins, and what each gets wrong."""

import asyncio
import json
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from compare import connection
from compare.conftest import state
from compare.connection import connect
from compare.errors import ClusterError
from testing.processes import wait_until

TOKEN = "right"  # noqa: S105  nobody's


class Answers(BaseHTTPRequestHandler):
    """A Kubernetes API that knows its version and a token."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        status = {"kind": "Status", "message": "Unauthorized", "code": 401}
        body = json.dumps({"gitVersion": "v1.34.4"} if known else status).encode()
        self.answer(200 if known else 401, body)

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Html(Answers):
    def do_GET(self) -> None:
        self.answer(200, b"<html>It works!</html>")


class OtherJson(Answers):
    def do_GET(self) -> None:
        self.answer(200, b'{"status": "ok"}')


class Missing(Answers):
    def do_GET(self) -> None:
        self.answer(404, b"not here")


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Of clients that hang up."""


@contextmanager
def serving(answers: type[Answers] = Answers, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    with Server(("127.0.0.1", 0), answers) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[str]:
    with serving() as url:
        yield url


def config(
    server: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    named = {
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
    }
    return {"apiVersion": "v1", "kind": "Config", "current-context": "here", **named, **more}


class Kube:
    """A directory in which kubeconfigs and programs lie; KUBECONFIG names those used."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._monkeypatch = monkeypatch

    def use(self, *files: dict[str, Any] | str) -> None:
        paths = [self.directory / f"config{number}" for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        self._monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, [self.directory / "absent", *paths])))

    def program(self, script: str) -> str:
        path = self.directory / "login"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    def plugin(self, script: str, **more: Any) -> dict[str, Any]:
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": self.program(script)} | more}


@pytest.fixture
def kube(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kube:
    return Kube(tmp_path, monkeypatch)


async def version() -> str:
    async with connect() as api:
        return str((await api.get("/version"))["gitVersion"])


async def refusal() -> str:
    with pytest.raises(ClusterError) as caught:
        await version()
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_of_several_files_the_first_to_set_a_value_wins_and_missing_ones_are_passed_over(
    kube: Kube, server: str
) -> None:
    later = config("http://127.0.0.1:1", {"token": "wrong"}) | {"current-context": "elsewhere"}
    kube.use({"current-context": "here"}, config(server) | {"current-context": ""}, "", later)
    assert await version() == "v1.34.4"


async def test_entries_of_one_context_may_lie_in_several_files(kube: Kube, server: str) -> None:
    whole = config(server)
    kube.use(*[{key: whole[key]} for key in ("current-context", "contexts", "clusters", "users")])
    assert await version() == "v1.34.4"


async def test_a_context_without_a_namespace_or_a_user_is_complete(kube: Kube, server: str) -> None:
    kube.use(config(server, contexts=[{"name": "here", "context": {"cluster": "c"}}]))
    assert "doesn't know you: Unauthorized; log in again" in await refusal()


async def test_files_that_a_kubeconfig_names_lie_beside_it(
    kube: Kube, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    kube.use(config(server, {"tokenFile": "token"}))
    assert await version() == "v1.34.4"
    kube.plugin(f"""echo '{{"status": {{"token": "{TOKEN}"}}}}'""")
    kube.use(config(server, {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}}))
    assert await version() == "v1.34.4"


NO_CONTEXT = "the kubeconfig has no current context; choose one: kubectl config use-context NAME"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", NO_CONTEXT),
        ("# nothing", NO_CONTEXT),
        ("{apiVersion: v1, kind: Config}", NO_CONTEXT),
        ("][", "no cluster: while parsing"),
        ("just words", "config0 is no kubeconfig"),
        ("[1, 2]", "config0 is no kubeconfig"),
        ("{clusters: [{server: x}]}", "config0 is no kubeconfig"),
        ("\x00", "no cluster: "),
        (config("http://x") | {"current-context": "other"}, "the kubeconfig has no context 'other'; it has here"),
        (config("http://x", clusters=[]), "the kubeconfig has no cluster 'c'; it has none"),
        (config("http://x", users=[]), "the kubeconfig has no user 'u'; it has none"),
        (config("127.0.0.1:6443"), "no cluster"),
        (config("http://[::1"), "no cluster"),
        (config("ftp://127.0.0.1"), "no cluster answers at ftp://127.0.0.1"),
        (config("http://127.0.0.1:1"), "no cluster answers at http://127.0.0.1:1"),
        (config("http://x", {"as": "root"}), "user u acts as root, which compare can't; name another user"),
        (config("http://x", {"client-key-data": "AA=="}), "has a client-certificate or a client-key alone; give both"),
        (config("http://x", {"tokenFile": "none"}), "none'; set KUBECONFIG, or try `make lab`"),
        (config("http://x", {"token": "\u20ac"}), "no cluster"),
        (config("https://x", None, {"certificate-authority": "no.crt"}), "no.crt'; set KUBECONFIG, or try `make lab`"),
        (config("http://x", {"auth-provider": {"name": "gcp"}}), "auth-provider not supported"),
        (config("http://x", {"exec": {"command": "x"}}), "the user's exec is incomplete"),
        (config("http://127.0.0.1:1", None, {"proxy-url": "http://127.0.0.1:2"}), "no cluster answers at"),
    ],
)
async def test_a_kubeconfig_that_leads_nowhere_is_said_in_one_line(
    kube: Kube, content: dict[str, Any] | str, message: str
) -> None:
    kube.use(content)
    assert message in await refusal()


async def test_a_directory_or_nothing_in_place_of_a_kubeconfig_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path))
    assert f"Is a directory: '{tmp_path}'; set KUBECONFIG, or try `make lab`" in await refusal()
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/a:{tmp_path}/b")
    assert f"there is no {tmp_path}/a and no {tmp_path}/b; set KUBECONFIG" in await refusal()


@pytest.mark.parametrize("user", [{"token": "wrong"}, {}, {"username": "a", "password": "b"}])
async def test_a_user_that_the_cluster_does_not_know_is_told_to_log_in(
    kube: Kube, server: str, user: dict[str, Any]
) -> None:
    kube.use(config(server, user))
    assert f"{server} doesn't know you: Unauthorized; log in again, or mend the user" in await refusal()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (Html, "answers no Kubernetes object; is it a Kubernetes API?"),
        (OtherJson, "is no Kubernetes API; is KUBECONFIG right?"),
        (Missing, "answers 404 and no Kubernetes status; is it a Kubernetes API?"),
    ],
)
async def test_a_server_that_is_no_kubernetes_is_said_to_be_none(
    kube: Kube, answers: type[Answers], message: str
) -> None:
    with serving(answers) as url:
        kube.use(config(url))
        assert message in await refusal()


async def test_certificates_that_do_not_fit_are_said_in_one_line(kube: Kube, tmp_path: Path) -> None:
    right, wrong = trustme.CA(), trustme.CA()
    for name, authority in (("right", right), ("wrong", wrong)):
        authority.cert_pem.write_to_path(tmp_path / f"{name}.crt")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    right.issue_cert("127.0.0.1").configure_cert(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    right.configure_trust(tls)
    client, strange = right.issue_cert("me"), wrong.issue_cert("me")
    for name, cert in (("me", client), ("stranger", strange)):
        cert.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.crt")
        cert.private_key_pem.write_to_path(tmp_path / f"{name}.key")

    def user(name: str) -> dict[str, Any]:
        return {"token": TOKEN, "client-certificate": f"{name}.crt", "client-key": f"{name}.key"}

    with serving(tls=tls) as url:
        kube.use(config(url, user("me"), {"certificate-authority": "right.crt"}))
        assert await version() == "v1.34.4"
        kube.use(config(url, user("me"), {"certificate-authority": "wrong.crt"}))
        assert "certificate verify failed" in await refusal()
        kube.use(config(url, user("stranger"), {"certificate-authority": "right.crt"}))
        assert f"no cluster answers at {url}" in await refusal()
        kube.use(config(url, user("right") | {"client-key": "me.key"}, {"certificate-authority": "right.crt"}))
        assert "no cluster: " in await refusal()


async def test_a_plugin_is_told_what_it_is_asked_and_asked_again_where_its_token_has_run_out(
    kube: Kube, server: str
) -> None:
    script = (
        'echo "$KUBERNETES_EXEC_INFO $MORE $1" >> "$0.asked"\n'
        f'test -e "$0.once" && token={TOKEN} || token=old; touch "$0.once"\n'
        """printf '{"status": {"token": "%s"}}' $token"""
    )
    kube.use(config(server, kube.plugin(script, args=["--now"], env=[{"name": "MORE", "value": "more"}])))
    assert await version() == "v1.34.4"
    asked = (kube.directory / "login.asked").read_text().splitlines()
    assert len(asked) == 2
    assert '"apiVersion": "client.authentication.k8s.io/v1"' in asked[0]
    assert asked[0].endswith("more --now")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'token has expired' >&2; exit 1", "exit 1: token has expired; log in again, as for kubectl"),
        ("exit 3", "exit 3: it says nothing; log in again"),
        ("echo nothing", "prints no token; try kubectl get nodes"),
        ("echo '{\"status\": {}}'", "prints no token; try kubectl get nodes"),
        ("echo '[]'", "prints no token; try kubectl get nodes"),
        ("sleep 60", "no end within 0.5 s: it says nothing; log in again"),
    ],
)
async def test_a_plugin_that_fails_is_said_with_its_words(
    kube: Kube, server: str, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setattr(connection, "PLUGIN_TIMEOUT", 0.5 if "sleep" in script else 20.0)
    kube.use(config(server, kube.plugin(script)))
    said = await refusal()
    assert said.startswith("no cluster: credential plugin ")
    assert message in said


async def test_a_plugin_that_is_not_there_is_named_with_the_kubeconfigs_hint(kube: Kube, server: str) -> None:
    absent = kube.plugin("", command="gke-auth", installHint="Install gke-auth\nfrom its site")
    kube.use(config(server, absent))
    assert await refusal() == (
        "no cluster: credential plugin gke-auth can't be run: No such file or directory; Install gke-auth from its site"
    )


async def test_a_plugin_ends_with_the_wait_for_it_and_so_do_its_children(kube: Kube, server: str) -> None:
    kube.use(config(server, kube.plugin('sleep 60 & echo $! > "$0.new"; mv "$0.new" "$0.pid"; wait')))
    asking = asyncio.create_task(version())
    pid = await asyncio.to_thread(wait_until, "the plugin", lambda: written(kube.directory / "login.pid"))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.to_thread(wait_until, "its end", lambda: state(pid) in ("Z", ""))


def written(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""
