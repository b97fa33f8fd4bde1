"""SPDY's frames, as another implementation of the protocol would write them; kubectl's own are in lab/conformance."""

import struct
import zlib

import pytest

from lab.apiserver.spdy import DICTIONARY, HEADER, Data, Opened, Ping, Reset, Session

ADLER32 = 0xE3C6A7C2  # of the dictionary, as zlib streams of SPDY/3 begin


def control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHBBH", 0x8003, kind, flags, 0, len(payload)) + payload


class Client:
    """Writes frames."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: dict[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            block += struct.pack(">I", len(word)) + word.encode()
        compressed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return control(1, struct.pack(">IIH", stream, 0, 0) + compressed)


def test_the_dictionary_is_that_of_the_specification() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, ADLER32)


def test_streams_are_opened_by_headers_of_one_compressed_context() -> None:
    client, session = Client(), Session()
    for stream in (1, 3):
        headers = {"streamtype": "data", "port": "8000", "requestid": str(stream)}
        assert list(session.receive(client.open(stream, headers))) == [Opened(stream, headers)]


def test_frames_come_in_pieces_of_any_size() -> None:
    ping = control(6, struct.pack(">I", 7))
    reset = control(3, struct.pack(">II", 1, 5))
    given = Client().open(1, {"port": "80"}) + Session.data(1, b"x" * 70_000) + ping + reset
    given += Session.data(1, b"", last=True) + control(4, b"")  # settings are not heeded
    whole = [
        Opened(1, {"port": "80"}),
        Data(1, b"x" * 70_000, last=False),
        Ping(ping),
        Reset(1),
        Data(1, b"", last=True),
    ]
    for size in (1, 7, len(given)):
        session = Session()
        pieces = [given[at : at + size] for at in range(0, len(given), size)]
        assert [frame for piece in pieces for frame in session.receive(piece)] == whole


def test_an_answer_is_readable_by_the_other_side() -> None:
    session, inflate = Session(), zlib.decompressobj(zdict=DICTIONARY)
    for stream in (1, 3):
        answer = session.accept(stream)
        head, flags, _, length = HEADER.unpack_from(answer)
        assert (head, flags, length) == (0x8003_0002, 0, len(answer) - HEADER.size)
        assert struct.unpack_from(">I", answer, HEADER.size) == (stream,)
        assert inflate.decompress(answer[HEADER.size + 4 :]) == struct.pack(">I", 0)


@pytest.mark.parametrize("data", [struct.pack(">HHBBH", 0x8002, 1, 0, 0, 0), control(1, b"\0" * 10 + b"no zlib")])
def test_what_is_no_spdy_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, zlib.error)):
        next(Session().receive(data))
