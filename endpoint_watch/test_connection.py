"""How a cluster is found and reached, and that it is said in one line where it is not."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import yaml

from endpoint_watch import ConnectionFailed, connect, watch
from endpoint_watch.endpoints import Object
from testing.endpoint_watch import FakeApi, kubeconfig, until
from testing.processes import running_lab


class File:
    """The one that KUBECONFIG names; it is not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, content: Object | str) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return File(tmp_path / "kubeconfig")


async def refusal() -> str:
    with pytest.raises(ConnectionFailed) as caught:
        async with connect():
            pass
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("no cluster: ")
    assert said.endswith("; set KUBECONFIG to a kubeconfig file")
    return said


async def test_kubeconfig_names_the_cluster_the_user_and_the_namespace(file: File) -> None:
    file.write(kubeconfig("http://127.0.0.1:1"))
    async with connect() as api:
        assert api.namespace == "shop"
        assert str(api.http.base_url) == "http://127.0.0.1:1"
        request = next(api.http.auth.sync_auth_flow(api.http.build_request("GET", "/")))  # type: ignore[union-attr]
        assert request.headers["Authorization"] == "Bearer t"
    assert api.http.is_closed


async def test_without_kubeconfig_it_is_the_one_in_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "~/.kube/config not found" in await refusal()
    File(tmp_path / ".kube" / "config").write(kubeconfig("http://127.0.0.1:1"))
    async with connect() as api:
        assert api.namespace == "shop"


async def test_proxies_of_the_environment_are_not_for_a_cluster(
    file: File, server: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    file.write(kubeconfig(server.url))
    assert await first("web") == ()


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "absent", tmp_path):  # the latter is a directory
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert f"Configuration file {path} not found" in await refusal()


COMPLETE = kubeconfig("http://x")
NO_CONTEXT = "the kubeconfig has no current context; choose one: kubectl config use-context NAME"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("][", "while parsing"),
        ("\x00", "unacceptable character"),
        ("", "is no complete kubeconfig"),
        ("just words", "is no complete kubeconfig"),
        ("[1, 2]", "is no complete kubeconfig"),
        ("{clusters: [{server: x}], contexts: []}", "is no complete kubeconfig"),
        ({key: value for key, value in COMPLETE.items() if key != "current-context"}, NO_CONTEXT),
        (COMPLETE | {"current-context": ""}, NO_CONTEXT),
        (COMPLETE | {"current-context": "other"}, "Context 'other' not found"),
        (COMPLETE | {"clusters": []}, "is no complete kubeconfig"),
        (COMPLETE | {"users": []}, "is no complete kubeconfig"),
        (COMPLETE | {"contexts": [{"name": "here", "context": {"cluster": "c"}}]}, "Missing user"),
        (COMPLETE | {"clusters": [{"name": "c", "cluster": {"server": 1}}]}, "Expected `str`, got `int`"),
        (kubeconfig("http://[::1"), "port"),
        (kubeconfig("http://x", **{"certificate-authority": "no.crt"}), "No such file"),
        (kubeconfig("http://x", **{"certificate-authority": "kubeconfig"}), "no certificate"),
    ],
)
async def test_a_kubeconfig_that_leads_nowhere_is_said_in_one_line(
    file: File, content: Object | str, message: str
) -> None:
    file.write(content)
    assert message in await refusal()


async def first(service: str) -> tuple[str, ...]:
    """The addresses of its first snapshot."""
    async with asyncio.timeout(20), connect() as api:
        async for snapshot in watch(api, [service], port="grpc"):
            return tuple(endpoint.address for endpoint in snapshot.endpoints)
    raise AssertionError


@pytest.fixture(scope="module")
def lab() -> Iterator[Object]:
    """The kubeconfig of a lab: https, a CA of its own, a token."""
    with running_lab() as lab:
        yield yaml.safe_load(Path(lab).read_text())


async def test_a_cluster_is_reached_by_https_with_the_ca_that_its_kubeconfig_holds(
    lab: Object, file: File, caplog: pytest.LogCaptureFixture
) -> None:
    [cluster] = lab["clusters"]
    assert cluster["cluster"]["server"].startswith("https://")
    file.write(lab)
    assert await first("web") == ()
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    cluster["cluster"]["certificate-authority-data"] = other
    file.write(lab)
    asking = asyncio.create_task(first("web"))
    await until("a refusal", lambda: "certificate verify failed" in caplog.text)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert "can't be reached" in caplog.text
