"""A client as a process, against real servers."""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from testing.processes import DEADLINE, greeter, greeters, process

CLIENT = "clusterip.client"


def measured(*args: str, module: str = CLIENT, code: int = 0) -> dict[str, Any]:
    with process(module, *args, "--json") as client:
        assert client.end() == code, client.lines
    result: dict[str, Any] = json.loads(client.lines[-1])
    return result


def test_endless_greeting_prints_the_lines_of_the_tutorials_until_told_to_stop() -> None:
    with (
        greeter(POD_IP="10.0.2.95") as (_, address),
        process(CLIENT, f"--target={address}", "--interval=10ms") as client,
    ):
        for _ in range(3):
            client.line(r"^Greeting: Hello you \(Backend IP: 10\.0\.2\.95\)$")
            client.lines[:] = client.lines[:2]
        client.signal(signal.SIGTERM)
        assert client.end() == 0
    assert client.lines[:2] == ["Will use pick_first load balancing policy", f"Creating channel with target {address}"]


def test_a_target_nobody_serves_is_named_and_waited_for() -> None:
    with greeter() as (server, address):
        server.kill()
        with process(CLIENT, f"--target={address}", "--interval=50ms") as client:
            client.line(rf"^No answer: UNAVAILABLE: .*{address}.*refused; trying again in 0.05s$")
            with greeter(address=address):
                client.line("^Greeting: Hello you")


def test_a_count_makes_that_many_calls_and_says_who_answered() -> None:
    with greeter() as (_, address):
        result = measured(f"--target={address}", "--count=50")
    assert (result["calls"], result["attempts"], result["failures"]) == (50, 50, {})
    assert result["backends"]["127.0.0.1"]["calls"] == 50
    assert (result["target"], result["policy"]) == (address, "pick_first")


def test_calls_in_parallel_are_as_many_and_overlap() -> None:
    slow = ("--metadata=fault=delay=200ms", "--count=8")
    with greeter("--faults") as (_, address):
        result = measured(f"--target={address}", "--parallel=4", *slow)
        one_by_one = measured(f"--target={address}", *slow)
    assert result["calls"] == one_by_one["calls"] == 8
    assert result["ended"] - result["started"] < 1.2 < 1.6 <= one_by_one["ended"] - one_by_one["started"]


def test_a_duration_keeps_its_rate_and_ends_on_time() -> None:
    with greeter() as (_, address):
        result = measured(f"--target={address}", "--duration=2s", "--rate=50")
    assert result["calls"] == pytest.approx(100, abs=3)
    assert result["ended"] - result["started"] == pytest.approx(2, abs=0.2)


def test_sigterm_ends_a_measurement_with_what_it_has() -> None:
    with (
        greeter() as (_, address),
        process(CLIENT, f"--target={address}", "--duration=1h", "--rate=100", "--json") as client,
    ):
        client.line("^Measuring")
        client.signal(signal.SIGTERM)
        assert client.end() == 0
    assert json.loads(client.lines[-1])["failures"] == {}


def test_failed_calls_are_counted_by_their_code_and_their_deadline_holds() -> None:
    with greeter() as (server, address):
        server.signal(signal.SIGSTOP)
        result = measured(f"--target={address}", "--count=2", "--deadline=200ms", "--warmup=100ms", code=1)
        server.signal(signal.SIGCONT)
    assert result["failures"] == {"DEADLINE_EXCEEDED": 2}
    assert result["backends"] == {}


def test_a_direct_channel_is_measured_in_the_same_run() -> None:
    with greeters(2) as [(_, first), (_, second)]:
        result = measured(f"--target={first}", f"--direct={second}", "--count=100")
    assert list(result["backends"]) == [first.partition(":")[0]]
    assert result["direct"]["calls"] == 100
    assert result["direct"]["ratio"].keys() == {"p50", "p99"}


def test_without_json_a_measurement_is_a_few_lines_for_people() -> None:
    with greeter() as (_, address), process(CLIENT, f"--target={address}", "--count=10") as client:
        assert client.end() == 0
    text = "\n".join(client.lines)
    assert "10 calls in 10 attempts, failed calls: 0" in text
    assert "fairness 1.00 (Jain's index, of the 1 backend that answered; idle ones count with --backends)" in text


def test_a_measurement_says_why_calls_failed_and_fails_where_all_did() -> None:
    with greeter("--faults") as (server, address):
        fault = ("--metadata=fault=error=INTERNAL", "--count=3")
        with process(CLIENT, f"--target={address}", *fault) as client:
            assert client.end() == 1
        assert "3 calls in 3 attempts, failed calls: 3 × INTERNAL" in client.lines
        assert "  3 × asked for by fault metadata" in client.lines
        server.kill()
        for what in ("--streams=2", "--parallel=2"):
            with process(CLIENT, f"--target={address}", "--count=2", what, "--warmup=1ms") as client:
                assert client.end() == 1
            assert f"{address}: Failed to connect to remote host: " in "\n".join(client.lines)


def test_a_measurement_in_which_some_calls_succeed_has_succeeded() -> None:
    with greeter("--faults", POD_IP="10.0.0.1") as (_, first), greeter(POD_IP="10.0.0.2") as (_, second):
        flags = (f"--target=ipv4:{first},{second}", "--backends=2", "--count=4", "--metadata=fault=error=INTERNAL")
        result = measured(*flags, module="client_roundrobin.client")
    assert (result["failures"], list(result["backends"])) == ({"INTERNAL": 2}, ["10.0.0.2"])


def test_a_stream_stays_where_it_landed_and_another_may_land_elsewhere() -> None:
    with greeters(2) as [(_, first), (_, second)]:
        flags = (f"--target=ipv4:{first},{second}", "--backends=2", "--streams=8", "--count=5", "--interval=10ms")
        outcome = measured(*flags, module="client_roundrobin.client")["streams"]
    assert [(len(stream["backends"]), stream["messages"], stream["code"]) for stream in outcome] == [(1, 5, "OK")] * 8
    assert len({backend for stream in outcome for backend in stream["backends"]}) == 2


def test_metadata_goes_with_each_call_that_is_measured_and_with_no_other() -> None:
    fault = "--metadata=fault=error=INTERNAL"
    with greeter("--faults") as (server, address):
        assert measured(f"--target={address}", "--count=1", fault, code=1)["failures"] == {"INTERNAL": 1}
        server.line("Received 2 calls")
        assert len([line for line in server.lines if "Fault asked for" in line]) == 1
        [stream] = measured(f"--target={address}", "--streams=1", "--count=1", fault, code=1)["streams"]
    assert (stream["code"], stream["details"]) == ("INTERNAL", "asked for by fault metadata")


@pytest.mark.parametrize("flag", ["--deadline", "--warmup", "--dns-cooldown"])
def test_the_longest_of_every_time_is_borne(flag: str) -> None:
    with greeter() as (_, address):
        flags = (f"--target={address}", f"{flag}=596h", "--count=1")
        assert measured(*flags, module="client_roundrobin.client")["failures"] == {}


@pytest.mark.parametrize("flags", [["--interval=596h"], ["--duration=596h", "--rate=1"]])
def test_the_longest_of_every_wait_ends_with_a_signal(flags: list[str]) -> None:
    with greeter() as (_, address), process(CLIENT, f"--target={address}", *flags) as client:
        client.line("^Greeting|^Measuring")
        client.signal(signal.SIGTERM)
        assert client.end() == 0
    assert not [line for line in client.lines if "Traceback" in line]


@pytest.mark.parametrize("flags", [["--interval=1ms"], ["--count=20"], ["--streams=3"]])
def test_a_reader_that_has_seen_enough_ends_the_client_without_a_word(flags: list[str]) -> None:
    with greeter() as (_, address):
        command = [sys.executable, "-m", CLIENT, f"--target={address}", *flags]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert client.stdout
        client.stdout.close()  # as head does
        _, said = client.communicate(timeout=DEADLINE)
    assert "Error" not in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--target=dns://greeter:8000"], "'dns://greeter:8000' is no target; write HOST:PORT"),
        (["--target=greeter"], "'greeter' is no target; write HOST:PORT"),
        (["--count=0"], "'0' is no count; write a whole number from 1"),
        (["--streams=100000"], "'100000' is too many; write 1000 at most"),
        (["--parallel=100000"], "'100000' is too many; write 1000 at most"),
        (["--backends=10000000000"], "'10000000000' is too many; write 1000 at most"),
        (["--name=\udcff"], r"'\udcff' is no name; write printable UTF-8"),
        (["--deadline=5"], "'5' is not a duration; write 30s"),
        (["--deadline=720h"], "'720h' is too long; write 596h at most"),
        (["--interval=0s"], "'0s' is too short; write 1ms say"),
        (["--count=3", "--duration=3s", "--rate=1"], "--count and --duration exclude each other"),
        (["--duration=3s"], "--duration and --rate go together"),
        (["--rate=3"], "--duration and --rate go together"),
        (["--json"], "--json needs a measurement; add --count 300"),
        (["--direct=127.0.0.1:1"], "--direct needs a measurement"),
        (["--direct=127.0.0.1:1", "--duration=3s", "--rate=1"], "--direct goes with --count"),
        (["--count=3", "--interval=1s"], "--interval is for greeting for ever"),
        (["--streams=2", "--count=3", "--direct=127.0.0.1:1"], "--direct has no meaning with --streams"),
        (["--streams=2", "--duration=3s", "--rate=1"], "--streams goes with --count"),
        (["--parallel=2"], "--parallel goes with --count alone"),
        (["--parallel=2", "--duration=3s", "--rate=1"], "--parallel goes with --count alone"),
        (["--metadata=fault"], "'fault' is no metadata; write key=value"),
        (["--metadata=Fault=x"], "'Fault=x' is no metadata; write key=value"),
        (["--metadata=:authority=x"], "':authority=x' is no metadata; write key=value"),
        (["--metadata=x-bin=AA=="], "'x-bin' is for binary metadata, which can't be sent; choose a key without -bin"),
        (["--metadata=grpc-timeout=1n"], "'grpc-timeout' is set by gRPC itself; choose another key"),
        (["--metadata=user-agent=x"], "'user-agent' is set by gRPC itself; choose another key"),
        (["--metadata=x=é"], r"'\xe9' can't be sent as metadata; write printable ASCII in one line"),
        (["--metadata=x=a\nb"], r"'a\nb' can't be sent as metadata"),
        (["--cuont=3"], "unrecognized arguments: --cuont=3"),
    ],
)
def test_flags_that_make_no_sense_are_refused_with_a_remedy(args: list[str], message: str) -> None:
    with process(CLIENT, *args) as client:
        assert client.end() == 2
    assert message in client.lines[-1]
    assert not [line for line in client.lines if "Traceback" in line]
