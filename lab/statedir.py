"""A lab's directory: its kubeconfig, and the files and logs of its pods. It goes with the lab, or at the next start."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Whatever has this lock file in it, and no holder, is removed: nobody else may call theirs so.
PREFIX, LOCK = "lab-", "lab.grpc-kubernetes-load-balancing.lock"


@contextmanager
def state_directory() -> Iterator[Path]:
    """A new directory that only this user can enter, and that is removed in the end."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    parent = runtime if runtime.is_absolute() and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    _remove_dead(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    with (path / LOCK).open("w") as lock:
        # Held as long as this process lives, however it ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _remove_dead(parent: Path) -> None:
    """Remove what labs that were killed left behind: those whose lock nobody holds."""
    for lock_file in parent.glob(f"{PREFIX}*/{LOCK}"):
        if lock_file.stat().st_uid != os.getuid():
            continue
        with lock_file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(lock_file.parent, ignore_errors=True)
