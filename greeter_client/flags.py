"""The flags of every client, and what may go together."""

import argparse
import re

from helloworld import durations

MOST = 1000
SCHEMES = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "xds")  # of targets: C-core's resolvers (doc/naming.md)
OWN = ("content-length", "content-type", "te", "user-agent")  # metadata that gRPC sends in its own words only


def parser(description: str | None, default_target: str = "localhost:8000") -> argparse.ArgumentParser:
    """The flags all clients have; a strategy adds its own. `run` checks that they fit together."""
    flags = argparse.ArgumentParser(
        usage="%(prog)s [FLAGS]", description=(description or "").partition("\n")[0], allow_abbrev=False
    )
    add = flags.add_argument
    add("--target", type=target, default=default_target, help="greeter-server:8000 say (default %(default)s)")
    add("--name", type=printable, default="you", help="whom to greet (default %(default)s)")
    add("--deadline", type=seconds, default=5.0, metavar="TIME", help="of each call (default 5s)")
    add("--interval", type=seconds, metavar="TIME", help="greet for ever, this far apart (default 1s)")
    add("--count", type=positive, metavar="N", help="measure N calls, one after the other: 300 say")
    add("--duration", type=seconds, metavar="TIME", help="measure for this long, or until SIGTERM: 30s say")
    add("--rate", type=positive, metavar="N", help="calls a second with --duration: 100 say")
    add("--backends", type=few, metavar="N", help="how many should answer; those that don't count as idle")
    add("--warmup", type=seconds, metavar="TIME", help="call uncounted until all --backends answered, 2s at most")
    add("--direct", type=targets, metavar="ADDRESSES", help="of pods, 10.0.2.95:8000 say: compare with plain channels")
    add(
        "--parallel",
        type=few,
        default=1,
        metavar="N",
        help="with --count: so many calls at a time, on one channel",
    )
    add(
        "--metadata",
        type=pair,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="with each call: fault=crash say",
    )
    add("--streams", type=few, metavar="N", help="N long streams in place of calls; --count is per stream")
    add("--json", action="store_true", help="print the measurement as one line of JSON")
    return flags


def misfit(flags: argparse.Namespace) -> str:
    """What is wrong with flags that do not go together and how to mend it, or "" where nothing is."""
    measured = flags.count is not None or flags.duration is not None
    if flags.count is not None and flags.duration is not None:
        return "--count and --duration exclude each other; give one"
    if (flags.rate is None) != (flags.duration is None):
        return "--duration and --rate go together: --duration 30s --rate 100"
    if measured and flags.interval is not None and not flags.streams:
        return "--interval is for greeting for ever; leave it out with --count or --duration"
    if flags.streams and flags.duration is not None:
        return "--streams goes with --count, not with --duration"
    idle = [
        name for name in ("json", "direct", "backends", "warmup", "metadata") if getattr(flags, name) and not measured
    ]
    if idle:
        return f"--{idle[0]} needs a measurement; add --count 300, or --duration 30s --rate 100"
    if flags.parallel > 1 and (flags.count is None or flags.direct or flags.streams):
        return "--parallel goes with --count alone; leave out --duration, --direct and --streams"
    if flags.direct and flags.streams:
        return "--direct has no meaning with --streams; leave it out"
    if flags.direct and flags.duration is not None:
        return "--direct goes with --count, not with --duration"
    return ""


def seconds(text: str) -> float:
    """Seconds of a positive Go duration (30s, 1m30s, 500ms)."""
    try:
        value = durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is {error}") from None
    if not value:
        raise argparse.ArgumentTypeError(f"'{text}' is too short; write 1ms say")
    return value


def milliseconds(text: str) -> int:
    """Whole milliseconds of a positive Go duration, the unit of gRPC's channel arguments."""
    return max(1, round(seconds(text) * 1000))


def target(text: str) -> str:
    """The target as given, where gRPC can make sense of it: it would refuse others only at the first call."""
    scheme, endpoint = _split(text)
    if scheme not in SCHEMES:
        raise argparse.ArgumentTypeError(
            f"'{text}': no scheme '{scheme}'; use one of {', '.join(SCHEMES)}, or HOST:PORT"
        )
    if scheme in ("dns", "ipv4", "ipv6"):
        for address in endpoint.split(","):
            host, _, port = address.rpartition(":")
            if not host or re.search(r"[\s/]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
                raise argparse.ArgumentTypeError(f"'{text}' is no target; write HOST:PORT, dns:///HOST:PORT say")
    if not endpoint:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing; write {scheme}:///NAME")
    return text


def _split(text: str) -> tuple[str, str]:
    uri = re.fullmatch(r"([a-z][a-z0-9+.-]*):(?:(//)([^/]*)/)?(.*)", text)
    if not uri or (uri[1] not in SCHEMES and not uri[2]):  # localhost:8000 looks like a scheme, and is none
        return "dns", text
    return uri[1], uri[4]


def targets(text: str) -> list[str]:
    """Targets, separated by commas."""
    return [target(one) for one in text.split(",")]


def pair(text: str) -> tuple[str, str]:
    """A key of metadata and its value."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch("[a-z0-9_.-]+", key):
        raise argparse.ArgumentTypeError(f"'{text}' is no metadata; write key=value, the key in small letters")
    if key.endswith("-bin"):
        raise argparse.ArgumentTypeError(
            f"'{key}' is for binary metadata, which can't be sent; choose a key without -bin"
        )
    if key.startswith("grpc-") or key in OWN:
        raise argparse.ArgumentTypeError(f"'{key}' is set by gRPC itself; choose another key")
    if not re.fullmatch("[ -~]*", value):
        raise argparse.ArgumentTypeError(f"{value!a} can't be sent as metadata; write printable ASCII in one line")
    return key, value


def printable(given: str) -> str:
    """What protobuf can carry. The shell hands over any bytes."""
    if not given.isprintable():
        raise argparse.ArgumentTypeError(f"{given!a} is no name; write printable UTF-8")
    return given


def few(text: str) -> int:
    """A whole number from 1 to 1000, of what costs a thread or a connection each."""
    number = positive(text)
    if number > MOST:
        raise argparse.ArgumentTypeError(f"'{text}' is too many; write {MOST} at most")
    return number


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no count; write a whole number from 1")
    return int(text)
