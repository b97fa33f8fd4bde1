"""Each adaptation to loopback, and beside each what must be left alone."""

from pathlib import Path

import pytest
import yaml

from lab.loopback import Loopback, moved

IP, DNS = "127.64.3.5", "127.64.3.2:10053"
CONFIG, TMP = Path("/tmp/lab-x/pods/p/app/rootfs/etc/envoy"), Path("/tmp/lab-x/pods/p/volumes/tmp")  # noqa: S108
MOUNTS = {"/etc/envoy": CONFIG, "/tmp/": TMP, "/etc/envoy/tls": Path("/tmp/lab-x/tls")}  # noqa: S108
LOOPBACK = Loopback(IP, DNS, MOUNTS)


def same(texts: str) -> list[tuple[str, str]]:
    return [(text, text) for text in texts.split()]


@pytest.mark.parametrize(("port", "expected"), [(80, 10080), (443, 10443), (1023, 11023), (1024, 1024), (0, 0)])
def test_ports_that_need_privileges_move_up(port: int, expected: int) -> None:
    assert moved(port) == expected


ADDRESSES = [
    ("--address=0.0.0.0:8000", f"--address={IP}:8000"),
    ("0.0.0.0", IP),  # noqa: S104
    ("[::]:8000", f"{IP}:8000"),
    ("[::1]:8000", f"{IP}:8000"),
    ("--bind=[::]", f"--bind={IP}"),
    ("::", IP),
    ("--bind=::1", f"--bind={IP}"),
    ("127.0.0.1", IP),
    ("localhost:50051", f"{IP}:50051"),
    ("http://localhost:8080/healthz", f"http://{IP}:8080/healthz"),
    ("ipv4:127.0.0.1:8000", f"ipv4:{IP}:8000"),
    ("dns:///localhost:8000", f"{IP}:8000"),
    ("exec server --listen 0.0.0.0:1 --admin localhost:2", f"exec server --listen {IP}:10001 --admin {IP}:10002"),
    ("0.0.0.0:443", f"{IP}:10443"),
    (f"{IP}:80", f"{IP}:10080"),
    ("0.0.0.0:0", f"{IP}:0"),
]
NO_ADDRESSES = same(
    "0.0.0.0/0 10.0.0.0:80 127.0.0.10:80 127.0.0.1.nip.io my-localhost localhost.localdomain /etc/localhost/file"
    " std::string values[::2] values[::] fe80::1 --port=80 12:34"
)


@pytest.mark.parametrize(("text", "expected"), ADDRESSES + NO_ADDRESSES)
def test_own_addresses_become_the_pods(text: str, expected: str) -> None:
    assert LOOPBACK.word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--target=greeter-server:8000", f"--target=dns://{DNS}/greeter-server:8000"),
        ("greeter.shop.svc.cluster.local:8000", f"dns://{DNS}/greeter.shop.svc.cluster.local:8000"),
        ("greeter.shop.svc.cluster.local.:8000", f"dns://{DNS}/greeter.shop.svc.cluster.local.:8000"),
        ("dns:///greeter:8000", f"dns://{DNS}/greeter:8000"),
        ("dns:greeter:8000", f"dns://{DNS}/greeter:8000"),
        ("dns:///greeter", f"dns://{DNS}/greeter:10443"),
        ("greeter:80", f"dns://{DNS}/greeter:10080"),
        ("nosuch.example.com:443", f"dns://{DNS}/nosuch.example.com:10443"),
        ("sleep 1; client --target greeter:8000 -v", f"sleep 1; client --target dns://{DNS}/greeter:8000 -v"),
        ("exec client --target='greeter:8000'", f"exec client --target='dns://{DNS}/greeter:8000'"),
        *same("xds:///greeter:8000 dns://127.0.0.9:53/greeter:8000 unix:/run/greeter.sock mydns:greeter kube-dns:x"),
        *same("https://greeter:8000/path greeter --node-id=greeter 10.0.0.7:8000 --log=a:1,b:2:3 10:30 Greeter:8000x"),
    ],
)
def test_names_in_targets_are_asked_of_the_labs_dns(text: str, expected: str) -> None:
    assert LOOPBACK.word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/envoy/envoy.yaml", f"{CONFIG}/envoy.yaml"),
        ("--config=/etc/envoy/envoy.yaml", f"--config={CONFIG}/envoy.yaml"),
        ("/etc/envoy", str(CONFIG)),
        ("file:///etc/envoy/a", f"file://{CONFIG}/a"),
        ("/etc/envoy/tls/tls.crt", "/tmp/lab-x/tls/tls.crt"),  # noqa: S108
        ("/tmp/a /tmp", f"{TMP}/a {TMP}"),  # noqa: S108
        ("PATH=/usr/bin:/etc/envoy/bin", f"PATH=/usr/bin:{CONFIG}/bin"),
        *same("/etc/envoys /usr/etc/envoy /etc/envoy.d/x /etc/envoy-2 x/tmp/y"),
    ],
)
def test_mounted_paths_become_those_of_the_pods_directory(text: str, expected: str) -> None:
    assert LOOPBACK.word(text) == expected


def test_a_mount_of_everything_is_left_alone() -> None:
    loopback = Loopback(IP, DNS, {"/": TMP, "/data": CONFIG})
    assert loopback.word("cp -r /data /etc/x .") == f"cp -r {CONFIG} /etc/x ."
    assert Loopback(IP, DNS, {"/": TMP}).word("ls /") == "ls /"


def test_a_container_without_mounts_is_adapted_too() -> None:
    assert Loopback(IP, DNS, {}).word("cat /etc/envoy/x localhost:1024") == f"cat /etc/envoy/x {IP}:1024"


BOOTSTRAP = """\
# listens on 0.0.0.0
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
static_resources:
  listeners:
  - address: {socket_address: {address: 0.0.0.0, port_value: 443}}
    domains: ["greeter:8000", "*"]
  clusters:
  - {address: greeter-server.default.svc.cluster.local, port_value: 8000, prefix: 10.0.0.0/8}
  google_grpc: {target_uri: "xds-server:18000"}
  watched_directory: {path: /etc/envoy/tls}
"""


def test_a_mounted_file_is_adapted_where_its_keys_say_what_they_are() -> None:
    assert LOOPBACK.file(BOOTSTRAP) == (
        BOOTSTRAP.replace("127.0.0.1", IP)
        .replace("0.0.0.0, port_value: 443", f"{IP}, port_value: 10443")
        .replace("on 0.0.0.0", f"on {IP}")
        .replace("xds-server:18000", f"dns://{DNS}/xds-server:18000")
        .replace("/etc/envoy/tls", "/tmp/lab-x/tls")  # noqa: S108
    )


@pytest.mark.parametrize("adapt", [LOOPBACK.file, LOOPBACK.word], ids=["file", "variable"])
def test_an_xds_bootstrap_finds_its_server(adapt: "Loopback.word") -> None:  # type: ignore[valid-type]
    text = '{"xds_servers": [{"server_uri": "xds.mesh.svc.cluster.local:80"}], "node": {"id": "a:1"}}'
    expected = f'{{"xds_servers": [{{"server_uri": "dns://{DNS}/xds.mesh.svc.cluster.local:10080"}}], '
    assert adapt(text) == expected + '"node": {"id": "a:1"}}'  # type: ignore[misc]


def test_a_key_in_pem_is_left_alone() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG/etc/envoy/0::1+localhost/80==\n-----END PRIVATE KEY-----\n"
    assert LOOPBACK.file(pem) == pem


def test_what_is_adapted_is_not_adapted_again() -> None:
    loopback = Loopback("127.64.3.5", DNS, {"/data": Path("/data/localhost/data")})
    assert loopback.word("/data/x localhost:80 a:80") == f"/data/localhost/data/x 127.64.3.5:10080 dns://{DNS}/a:10080"


def test_envoy_asks_the_labs_dns() -> None:
    argv = LOOPBACK.envoy(["envoy", "-c", "envoy.yaml"])
    assert argv[:4] == ["envoy", "-c", "envoy.yaml", "--disable-hot-restart"]
    bootstrap = yaml.safe_load(argv[argv.index("--config-yaml") + 1])
    (resolver,) = bootstrap["typed_dns_resolver_config"]["typed_config"]["resolvers"]
    assert resolver == {"socket_address": {"address": "127.64.3.2", "port_value": 10053}}


def test_envoys_own_flags_are_kept() -> None:
    argv = LOOPBACK.envoy(["envoy", "--config-yaml", "admin: {x: 1}", "--disable-hot-restart", "-l", "info"])
    assert argv.count("--config-yaml") == argv.count("--disable-hot-restart") == 1
    assert argv[1:4] == ["--disable-hot-restart", "-l", "info"]
    assert yaml.safe_load(argv[-1]).keys() == {"admin", "typed_dns_resolver_config"}
