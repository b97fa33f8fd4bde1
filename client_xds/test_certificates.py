"""What `prepare` prints, read as OpenSSL and Kubernetes would."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
import yaml
from cryptography import x509

from catalogue import ROOT
from client_xds.certificates import CLIENT, SERVER, issued

Secret = dict[str, dict[str, str]]


def prepare(*args: str) -> str:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [os.fspath(ROOT / "client_xds" / "prepare"), *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def secrets() -> dict[str, Secret]:
    return {secret["metadata"]["name"]: secret for secret in yaml.safe_load_all(prepare("shop", "mtls"))}


def names(secret: Secret) -> list[str]:
    certificate = x509.load_pem_x509_certificate(secret["stringData"]["tls.crt"].encode())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in found.value]


def test_it_prints_a_secret_for_servers_and_one_for_clients_in_the_namespace_with_one_authority(
    secrets: dict[str, Secret],
) -> None:
    assert secrets.keys() == {"greeter-server-tls", "greeter-client-tls"}
    assert {secret["metadata"]["namespace"] for secret in secrets.values()} == {"shop"}
    assert len({secret["stringData"]["ca.crt"] for secret in secrets.values()}) == 1
    assert names(secrets["greeter-server-tls"]) == [SERVER, "greeter-server"]
    assert names(secrets["greeter-client-tls"]) == [CLIENT]


def test_the_manifests_mount_these_secrets(secrets: dict[str, Secret]) -> None:
    mounted = set()
    for kind in ("server", "client"):
        text = (ROOT / "client_xds" / "manifests" / "mtls" / f"{kind}.yaml").read_text()
        for obj in yaml.safe_load_all(text):
            if obj["kind"] == "Deployment":
                volumes = obj["spec"]["template"]["spec"]["volumes"]
                mounted |= {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    assert mounted == secrets.keys()


@pytest.mark.parametrize("name", ["greeter-server-tls", "greeter-client-tls"])
def test_each_has_the_key_of_its_certificate(secrets: dict[str, Secret], tmp_path: Path, name: str) -> None:
    for file, text in secrets[name]["stringData"].items():
        (tmp_path / file).write_text(text)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "tls.key").write_bytes(issued(trustme.CA(), CLIENT)["tls.key"])
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")


def test_a_clients_certificate_is_none_for_a_server() -> None:
    assert not trusted_as_server(CLIENT, host="")
    assert trusted_as_server(SERVER, host="greeter-server")


def trusted_as_server(identity: str, host: str) -> bool:
    """Whether a TLS client of this CA, which checks no name, goes on with a server that has this certificate."""
    ca = trustme.CA()
    server, client = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.create_default_context(cadata=ca.cert_pem.bytes().decode()),
    )
    client.check_hostname = False
    with ca.cert_pem.tempfile():
        files = issued(ca, identity, host)
        with trustme.Blob(files["tls.crt"] + files["tls.key"]).tempfile() as file:
            server.load_cert_chain(file)
    ends = [ssl.MemoryBIO() for _ in range(2)]
    there = server.wrap_bio(ends[0], ends[1], server_side=True)
    here = client.wrap_bio(ends[1], ends[0])
    for _ in range(4):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return True


@pytest.mark.parametrize("variant", ["proxyless", "envoy"])
def test_other_variants_need_none(variant: str) -> None:
    assert prepare("shop", variant) == ""


def test_without_a_namespace_it_says_what_to_give() -> None:
    run = subprocess.run([sys.executable, "-m", "client_xds.certificates"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 2
    assert "no namespace; name one: python -m client_xds.certificates default" in run.stderr
