"""The greeter itself, for a server of threads: its contract is greeter_server's. It logs by whom it is called."""

import hashlib
import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from grpc import ServicerContext

from greeter_server.greeter_servicer import ATTEMPTS
from helloworld import helloworld_pb2, helloworld_pb2_grpc

log = logging.getLogger(__name__)


class Callers:
    """Who has called: one line a second in the log while calls come in."""

    def __init__(self) -> None:
        self.calls = 0
        self._recent = Counter[str]()
        self._lock = threading.Lock()

    def note(self, context: ServicerContext) -> None:
        who = caller(context)
        with self._lock:
            self.calls += 1
            self._recent[who] += 1

    def report(self) -> None:
        while True:
            time.sleep(1)
            self.summarize()

    def summarize(self) -> None:
        with self._lock:
            recent, self._recent = self._recent, Counter()
        for who, number in recent.items():
            log.info("Received %d calls of %s", number, who)


def caller(context: ServicerContext) -> str:
    """The names in the client's certificate that TLS has checked, and which certificate it was."""
    if not (identities := context.peer_identities()):
        return "somebody without a certificate"
    names = ", ".join(sorted(identity.decode() for identity in identities))
    return f"{names} (certificate {fingerprint(context.auth_context()['x509_pem_cert'][0])})"


@lru_cache
def fingerprint(pem: bytes) -> str:
    """The first eight digits of what `openssl x509 -noout -fingerprint -sha256` prints."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()[:8].upper()


class GreeterServicer(helloworld_pb2_grpc.GreeterServicer):
    def __init__(self, pod_ip: str, callers: Callers) -> None:
        self._pod_ip = pod_ip
        self._callers = callers

    def SayHello(self, request: helloworld_pb2.HelloRequest, context: ServicerContext) -> helloworld_pb2.HelloReply:
        self._begin(context)
        return self._reply(request)

    def SayHelloStream(
        self, request_iterator: Iterator[helloworld_pb2.HelloRequest], context: ServicerContext
    ) -> Iterator[helloworld_pb2.HelloReply]:
        self._begin(context)
        # The server's address at once: a stream tells where it landed before its first message.
        context.send_initial_metadata((("backend-ip", self._pod_ip),))
        yield from map(self._reply, request_iterator)

    def _begin(self, context: ServicerContext) -> None:
        self._callers.note(context)
        for key, value in context.invocation_metadata():
            if key == ATTEMPTS:  # lets the client count the attempts that its retries would otherwise hide
                context.set_trailing_metadata(((ATTEMPTS, value),))

    def _reply(self, request: helloworld_pb2.HelloRequest) -> helloworld_pb2.HelloReply:
        return helloworld_pb2.HelloReply(message=f"Hello {request.name}", backend_ip=self._pod_ip)
