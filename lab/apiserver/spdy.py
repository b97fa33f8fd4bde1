"""SPDY/3.1's frames, as far as kubectl needs them: it tunnels them through the WebSocket of `port-forward`.

Source: the SPDY Protocol, draft 3.1 (chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1). No library is kept up for
a protocol that only Kubernetes still speaks. Its client has no flow control (github.com/moby/spdystream): nor has this.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

CONTROL, VERSION = 0x8000, 3
SYN_STREAM, SYN_REPLY, RST_STREAM, PING = 1, 2, 3, 6
FIN = 1
HEADER = struct.Struct(">IBBH")  # what kind or which stream, flags, length: 8 and 16 bits of it

# Section 2.6.10.1: what header blocks are compressed with, names and values that are likely, each after its length…
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
# … and what may be a part of one.
_PARTS = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split())
DICTIONARY += _PARTS.encode()


@dataclass(frozen=True)
class Opened:
    """The other side has opened a stream."""

    stream: int
    headers: dict[str, str]


@dataclass(frozen=True)
class Data:
    """What it sends on a stream; with `last` nothing more will come."""

    stream: int
    data: bytes
    last: bool


@dataclass(frozen=True)
class Reset:
    """It has given a stream up."""

    stream: int


@dataclass(frozen=True)
class Ping:
    """To be sent back."""

    frame: bytes


class Session:
    """The server's side of a connection: its bytes in, frames out; and bytes to be sent."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def receive(self, data: bytes) -> Iterator[Opened | Data | Reset | Ping]:
        """What the client says. Raises ValueError and zlib.error where that is no SPDY."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            head, flags, high, low = HEADER.unpack_from(self._buffer)
            end = HEADER.size + (high << 16 | low)
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[:end])
            del self._buffer[:end]
            payload = frame[HEADER.size :]
            if not head >> 31:
                yield Data(head, payload, last=bool(flags & FIN))
                continue
            if head >> 16 != CONTROL | VERSION:
                raise ValueError(f"not SPDY/3.1: {frame[:4].hex()}")
            kind = head & 0xFFFF
            if kind == SYN_STREAM:
                yield Opened(_stream(payload), self._headers(payload[10:]))
            elif kind == RST_STREAM:
                yield Reset(_stream(payload))
            elif kind == PING:
                yield Ping(frame)

    def accept(self, stream: int) -> bytes:
        """The answer to a stream that the client has opened."""
        no_headers = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        payload = struct.pack(">I", stream) + no_headers
        return HEADER.pack((CONTROL | VERSION) << 16 | SYN_REPLY, 0, 0, len(payload)) + payload

    @staticmethod
    def data(stream: int, data: bytes, *, last: bool = False) -> bytes:
        """At most 16 MiB of data for a stream."""
        return HEADER.pack(stream, FIN if last else 0, len(data) >> 16, len(data) & 0xFFFF) + data

    def _headers(self, block: bytes) -> dict[str, str]:
        text = self._inflate.decompress(block)
        words, at = list[str](), 4
        while at < len(text):
            (length,) = struct.unpack_from(">I", text, at)
            words.append(text[at + 4 : at + 4 + length].decode(errors="replace"))
            at += 4 + length
        return dict(zip(words[::2], words[1::2], strict=True))


def _stream(payload: bytes) -> int:
    return int.from_bytes(payload[:4]) & 0x7FFFFFFF
