"""What a client can meet in a server's place."""

import http.server
import socket
import ssl
import threading
from contextlib import suppress

import trustme
from dnslib import RCODE, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class Closed:
    """The address of a port that refuses connections, and that nobody else can take."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class Mute(Closed):
    """A UDP port that swallows what it gets."""

    def __enter__(self) -> str:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{self._socket.getsockname()[1]}"


class Nxdomain(BaseResolver):  # type: ignore[misc]
    """A DNS server that knows no name."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def __enter__(self) -> str:
        self._server = DNSServer(self, address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
        self._server.start_thread()
        host, port = self._server.server.server_address
        return f"{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()


class Http1:
    """An HTTP server that has not heard of HTTP/2."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = address

    def __enter__(self) -> str:
        self._server = http.server.ThreadingHTTPServer((self._address, 0), self.Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"{self._address}:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Tcp:
    """A server that does one thing with each connection."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it is closed
                return
            with connection:
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        raise NotImplementedError


class WithoutAlpn(Tcp):
    """A TLS server that names no protocol, as what terminates TLS without HTTP/2."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)

    def answer(self, connection: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1024)  # until the client wants none of it


class Resets(Tcp):
    """An HTTP/2 server that resets a connection once something was asked."""

    def answer(self, connection: socket.socket) -> None:
        settings, acknowledged = bytes.fromhex("000000040000000000"), bytes.fromhex("000000040100000000")
        connection.sendall(settings + acknowledged)
        seen = b""
        while b"/helloworld.Greeter" not in seen and (data := connection.recv(4096)):
            seen += data
        # A close that waits for nothing is a reset (socket(7), SO_LINGER).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
