"""What gRPC can dial is let through, what it cannot is refused with a remedy."""

import argparse

import pytest

from greeter_client.flags import target


@pytest.mark.parametrize(
    "text",
    [
        "localhost:8000",
        "greeter-server.default.svc.cluster.local:8000",
        "dns:greeter:8000",
        "dns:///greeter:8000",
        "dns://10.96.0.10:53/greeter:8000",
        "ipv4:10.0.0.1:8000,10.0.0.2:8000",
        "ipv6:[::1]:8000",
        "[::1]:8000",
        "unix:///run/greeter.sock",
        "unix:/run/greeter.sock",
        "xds:///greeter",
    ],
)
def test_a_target_of_grpc_passes_as_it_is(text: str) -> None:
    assert target(text) == text


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("dns://greeter:8000", "write HOST:PORT"),
        ("greeter", "write HOST:PORT"),
        ("greeter:http", "write HOST:PORT"),
        ("greeter:70000", "write HOST:PORT"),
        ("", "write HOST:PORT"),
        (":8000", "write HOST:PORT"),
        ("http://greeter:8000/", "no scheme 'http'"),
        ("xds:///", "names nothing"),
        ("two words:8000", "write HOST:PORT"),
    ],
)
def test_what_is_no_target_is_refused_with_what_to_write(text: str, remedy: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=remedy):
        target(text)
