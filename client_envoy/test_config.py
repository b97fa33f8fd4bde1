"""The configuration itself: what Envoy says of it."""

import urllib.error
import urllib.request

import pytest

from testing import envoy
from testing.client_envoy import MANIFEST, cluster, pods
from testing.envoy import Config


def test_ready_says_nothing_but_that_it_is() -> None:
    with pods(1) as running:
        with urllib.request.urlopen(f"http://{running.envoy.ip}:9902/ready") as answer:
            assert (answer.status, answer.read()) == (200, b"")
        for path in ("stats", "quitquitquit"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{running.envoy.ip}:9902/{path}")


def test_no_deprecated_field_is_used_and_envoy_has_nothing_to_warn_of() -> None:
    with pods(1) as running:
        assert "[warning]" not in running.envoy.log


def test_a_deprecated_field_would_be_warned_of() -> None:
    def change(config: Config) -> None:
        del cluster(config)["typed_extension_protocol_options"]
        cluster(config)["http2_protocol_options"] = {}

    with pods(1, change=change) as running:
        assert "Using deprecated option 'envoy.config.cluster.v3.Cluster.http2_protocol_options'" in running.envoy.log


def test_envoy_itself_finds_nothing_wrong_with_the_config() -> None:
    checked = envoy.validate(envoy.config(MANIFEST))
    assert checked.returncode == 0, checked.stderr
    assert "OK" in checked.stdout


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lb_polcy", "ROUND_ROBIN", "no such field: 'lb_polcy'"),
        ("lb_policy", "ROUND_ROBBIN", "ROUND_ROBBIN"),
        ("connect_timeout", "1 second", "connect_timeout"),
    ],
)
def test_a_broken_config_is_caught_with_envoys_own_message(field: str, value: str, message: str) -> None:
    config = envoy.config(MANIFEST)
    cluster(config)[field] = value
    checked = envoy.validate(config)
    assert checked.returncode == 1
    assert message in " ".join(checked.stderr.split())
