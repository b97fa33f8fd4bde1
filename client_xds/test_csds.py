"""What a client believes, asked of itself by `python -m client_xds.csds`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testing.client_xds import ControlPlane, bootstrap, control_plane
from testing.processes import Process, greeter, loopback_network, process, wait_for_answer

TYPES = ("ClusterLoadAssignment", "Cluster", "Listener", "RouteConfiguration")


def csds(address: str, code: int = 0) -> str:
    """What it prints, asked of an address; on stderr where it is to fail."""
    command = [sys.executable, "-m", "client_xds.csds", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with greeter() as (_, address):
        yield address


@pytest.fixture
def plane(server: str) -> Iterator[ControlPlane]:
    with control_plane(server) as running:
        yield running


@contextmanager
def client(plane: ControlPlane, admin: str, target: str = "xds:///greeter-server") -> Iterator[Process]:
    """One that greets once a second, and serves CSDS."""
    flags = (f"--target={target}", f"--admin-address={admin}", "--deadline=20s")
    with process("client_xds.client", *flags, env={"GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap(plane.address)}) as running:
        yield running


@pytest.fixture
def admin() -> str:
    """An address of a test's own, where nobody listens yet."""
    return f"{loopback_network()}.1:9901"


def line(text: str, kind: str) -> str:
    """The line of a type, its blanks made one."""
    [found] = [each for each in text.splitlines() if each.startswith(f"{kind} ")]
    return " ".join(found.split())


def test_each_resource_that_a_client_took_is_acked_with_its_version(plane: ControlPlane, admin: str) -> None:
    with client(plane, admin) as running:
        running.line("Greeting")
        told = csds(admin)
    assert [each.split()[0] for each in told.splitlines()] == sorted(TYPES)
    for kind in TYPES:
        assert re.fullmatch(rf"{kind} greeter-server [0-9a-f]{{8}} ACKED", line(told, kind))


def test_one_that_it_refused_is_nacked_with_the_reason_and_the_version_that_it_goes_by(
    plane: ControlPlane, admin: str
) -> None:
    with client(plane, admin) as running:
        running.line("Greeting")
        before = line(csds(admin), "Cluster")
        assert before.endswith(" ACKED")
        plane.apply("refused")
        refused = before.replace("ACKED", "NACKED")
        after = wait_for_answer(refused, lambda: line(csds(admin), "Cluster"))
    assert after.endswith("[field:lb_policy error:LB policy is not supported]")


def test_one_that_there_is_not_is_asked_for_and_then_does_not_exist(plane: ControlPlane, admin: str) -> None:
    with client(plane, admin, target="xds:///greeting-server") as running:
        running.line("Creating channel")
        wait_for_answer("Listener greeting-server - REQUESTED", lambda: line(csds(admin), "Listener"))
        running.line(r"No answer: UNAVAILABLE: .*LDS resource greeting-server: does not exist")  # after 15 s
        assert line(csds(admin), "Listener").startswith("Listener greeting-server - DOES_NOT_EXIST")


def test_where_nobody_listens_that_is_said_with_the_remedy(admin: str) -> None:
    words = rf"csds: {admin}: UNAVAILABLE: .*Connection refused.*; give the address .* --admin-address\n"
    assert re.fullmatch(words, csds(admin, code=2))


def test_where_nobody_serves_csds_that_is_said_with_the_remedy(plane: ControlPlane) -> None:
    words = rf"csds: {plane.address}: UNIMPLEMENTED: .*; give the address .* --admin-address\n"
    assert re.fullmatch(words, csds(plane.address, code=2))


def test_a_process_without_an_xds_client_is_said_to_have_none(server: str) -> None:
    assert "no xDS client in that process" in csds(server, code=2)


def test_a_client_that_cannot_listen_at_its_admin_address_says_so(server: str) -> None:
    for address in (server, "nowhere"):
        with process("client_xds.client", f"--admin-address={address}") as running:
            assert running.end() == 2
        assert running.lines[-1].endswith(f"cannot listen on '{address}'; is it HOST:PORT, and the port free?")
