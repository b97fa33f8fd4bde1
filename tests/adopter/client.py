"""The adopter's client: calls both methods in turn over the channel that a README says how to open.

When as many pods as its argument says have answered, it prints how often each answers 300 calls. Then it calls on until
SIGTERM, and prints how many of those calls failed, and who answered.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter

import grpc
import items_pb2
import items_pb2_grpc
from channel import channel

CALLS, RATE = 300, 50  # the rate is a second's
WARMUP = 60  # seconds

stub = items_pb2_grpc.CatalogueStub(channel)
told = threading.Event()
failures: Counter[str] = Counter()


def answered_by(number: int) -> str:
    """Who answered this call; "" where it failed."""
    try:
        if number % 2:
            return str(stub.GetItem(items_pb2.Item(name="bucket"), timeout=5).answered_by)
        return str(stub.ListItems(items_pb2.Everything(), timeout=5).answered_by)
    except grpc.RpcError as error:
        failures[f"{error.code().name}: {error.details()}"] += 1
        return ""


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


signal.signal(signal.SIGTERM, lambda *_: told.set())
pods, met = int(sys.argv[1]), set[str]()
deadline = time.monotonic() + WARMUP
while len(met - {""}) < pods and time.monotonic() < deadline:
    met.add(answered_by(len(met)))
    told.wait(1 / RATE)
failures.clear()
say(calls=Counter(map(answered_by, range(CALLS))), failures=failures)

failures.clear()
later: Counter[str] = Counter()
while not told.wait(1 / RATE):
    later[answered_by(later.total())] += 1
say(calls=later, failures=failures)
