"""Greets for ever, and prints a line a call: what `kubectl logs` of a demo's client shows."""

import threading

from greeter_client.call import greet
from helloworld import helloworld_pb2_grpc


def greet_on(
    stub: helloworld_pb2_grpc.GreeterStub, name: str, deadline: float, interval: float, stop: threading.Event
) -> None:
    """Call every `interval` seconds until `stop`; a failure is printed with its reason, and the next call made."""
    while not stop.is_set():
        call = greet(stub, name, deadline)
        if call.code == "OK":
            print(f"Greeting: {call.details} (Backend IP: {call.backend})", flush=True)
        else:
            print(f"No answer: {call.code}: {call.details}; trying again in {interval:g}s", flush=True)
        stop.wait(interval)
