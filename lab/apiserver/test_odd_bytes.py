"""Requests with bytes where they don't belong: answered below 500, and without a word on the user's terminal."""

import asyncio
import ssl

import pytest

from lab.testing.hollow import HollowLab

MAPS = b"/api/v1/namespaces/default/configmaps"
JSON = b"Content-Type: application/json"
MADE = b'{"metadata":{"name":"a"}}'


async def send(lab: HollowLab, start: bytes, *headers: bytes, body: bytes = b"", token: bool = True) -> int:
    """The code of the answer to a request as it stands: a client's library would mend it, or refuse to send it."""
    host, _, port = lab.server.removeprefix("https://").partition(":")
    tls = ssl.create_default_context(cadata=lab.credentials.ca)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    lines = [start + b" HTTP/1.1", b"Connection: close", *headers]
    if not any(header.startswith(b"Host") for header in headers):
        lines.append(b"Host: lab")
    if token:
        lines.append(b"Authorization: Bearer " + lab.credentials.token.encode())
    if body and b"Transfer-Encoding: chunked" not in headers:
        lines.append(b"Content-Length: %d" % len(body))
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return int(answer.split()[1])


@pytest.mark.parametrize("value", [b"Bearer \xff\xfe", b"\xff", b"Bearer", b"Bearer  ", b"Basic \xff=", b"bearer \x80"])
async def test_a_token_that_is_no_text_is_a_wrong_token(
    lab: HollowLab, caplog: pytest.LogCaptureFixture, value: bytes
) -> None:
    assert await send(lab, b"GET /api", b"Authorization: " + value, token=False) == 401
    assert await send(lab, b"GET /version", b"Authorization: " + value, token=False) == 200
    assert caplog.records == []


@pytest.mark.parametrize(
    ("start", "header", "body", "code"),
    [
        (b"GET /%ff", b"", b"", 404),
        (b"GET " + MAPS + b"/%ed%a0%80", b"", b"", 404),
        (b"GET " + MAPS + b"?labelSelector=%ff", b"", b"", 400),
        (b"GET " + MAPS + b"?fieldSelector=metadata.name%3D%ff", b"", b"", 200),
        (b"GET " + MAPS + b"?resourceVersion=%D9%A3", b"", b"", 400),
        (b"GET " + MAPS, b"Accept: \xff;as=\xff", b"", 406),
        (b"GET " + MAPS, b"Expect: \xff", b"", 417),
        (b"GET " + MAPS + b"/x/attach", b"Sec-WebSocket-Protocol: \xff", b"", 404),
        (b"POST " + MAPS, b"Content-Type: \xff/\xff", MADE, 415),
        (b"POST " + MAPS, b"Content-Type: application/json; charset=\xff", MADE, 201),
        (b"POST " + MAPS, b"Expect: 100-continue", MADE, 100),
        (b"POST " + MAPS, b"Content-Encoding: \xff", MADE, 201),
        (b"POST " + MAPS, b"Content-Encoding: gzip", MADE, 400),
        (b"POST " + MAPS, b"Transfer-Encoding: chunked", b"2\r\nabcdef\r\n0\r\n\r\n", 400),
        (b"PATCH " + MAPS + b"/kube-root-ca.crt", b"Content-Type: \xff", MADE, 415),
        (b"DELETE " + MAPS + b"/a?gracePeriodSeconds=" + b"1" * 5000, b"", b"", 400),
        (b"DELETE " + MAPS + b"/a", JSON, b'{"gracePeriodSeconds":"' + b"1" * 5000 + b'"}', 400),
    ],
)
async def test_bytes_that_are_no_text_anywhere_in_a_request(
    lab: HollowLab, caplog: pytest.LogCaptureFixture, start: bytes, header: bytes, body: bytes, code: int
) -> None:
    headers = [header] if header else []
    assert await send(lab, start, *headers, body=body) == code
    assert [record for record in caplog.records if record.name != "lab.apiserver.strangers"] == []
