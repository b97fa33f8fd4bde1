"""A Go client of the same servers, by the same bootstrap and resources: testdata/go."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from client_xds.certificates import CLIENT, SERVER, issued
from testing import golang
from testing.mtls import NOBODY, mesh
from testing.processes import wait_until

PROGRAM = Path(__file__).parent / "testdata" / "go"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    golang.downloaded(PROGRAM)
    return golang.build(PROGRAM, tmp_path_factory.mktemp("go") / "client")


def calls(go: Path, env: Mapping[str, str], number: int) -> dict[str, int]:
    """How many calls each backend has answered, or failed with which words."""
    with golang.client([go, "xds:///greeter-server"], env) as client:
        return client.calls(number)


def test_calls_take_turns_by_mtls_and_somebody_else_is_denied(go: Path, tmp_path: Path) -> None:
    with mesh(tmp_path, 3) as running:
        became = calls(go, running.workload("client"), 300)
        assert became.keys() == {address.rpartition(":")[0] for address in running.servers}
        assert max(became.values()) - min(became.values()) <= 3  # connections come up one after the other
        for server in running.servers.values():
            wait_until("it says so", lambda s=server: s.said(f"calls of {CLIENT} (certificate "))  # type: ignore[misc]
        other = running.workload("client", "other", issued(running.ca, "spiffe://greeter/other"))
        denied = "rpc error: code = PermissionDenied desc = Unauthorized RPC rejected"
        assert calls(go, other, 3) == {denied: 3}


def test_a_servers_name_is_checked_by_the_older_field_alone(go: Path, tmp_path: Path) -> None:
    with mesh(tmp_path, 1) as running:
        env = running.workload("client")
        running.configure(cluster=running.cluster_of(NOBODY))
        said = f"URIs: [{SERVER}]}} do not match any of the accepted SANs"
        wait_until("it is refused", lambda: all(said in outcome for outcome in calls(go, env, 1)))
        running.configure(cluster=running.cluster_of(NOBODY, newer=True))
        [address] = running.servers
        wait_until("it is let in", lambda: calls(go, env, 1) == {address.rpartition(":")[0]: 1})
