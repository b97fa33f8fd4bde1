"""Runs somebody's program: what it prints, or why there is nothing; it ends with us, and in time."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

from compare.errors import CompareError

GRACE = 2.0  # seconds between SIGTERM and SIGKILL


async def output(what: str, command: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> str:
    """What it writes on stdout; what it says on stderr is shown. Raises CompareError where it fails or takes longer."""
    with tempfile.TemporaryFile() as errors:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *command,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # so that its children can be ended with it
            )
        )
        try:
            async with asyncio.timeout(limit):
                process = await asyncio.shield(starting)  # or nobody would know whom to end
                written, _ = await process.communicate()
            failure = f"exit {process.returncode}" if process.returncode else ""
        except TimeoutError:
            failure = f"no end within {limit:g} s"
        except (OSError, ValueError) as error:
            raise CompareError(f"{what} can't be run: {getattr(error, 'strerror', '') or error}") from error
        finally:
            with suppress(OSError, ValueError):
                await _end(await starting)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if failure:
        raise CompareError(f"{what}: {failure}: {' '.join(said.split()) or 'it says nothing'}")
    if said:
        print(said, file=sys.stderr)
    return written.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """With all its children, where it has not ended by itself."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signum)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await process.wait()
