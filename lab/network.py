"""The lab's network: a private /24 of 127.0.0.0/8, and the addresses of pods and Services in it.

Stands for the cluster's CNI plugin and Service CIDR. Linux lets every user bind every address of 127.0.0.0/8, so each
pod can have an IP of its own without privileges, and two labs on one machine never meet.
"""

import errno
import random
import socket
from collections import deque

from lab.apimachinery.errors import LabError

LOCK_PORT = 61443  # above Linux's ephemeral ports, so that only another lab can hold it
ATTEMPTS = 64


class Network:
    """One lab's /24. `.1` is the node and its API server, `.2` to `.254` are handed out."""

    def __init__(self, prefix: str, lock: socket.socket) -> None:
        self._lock = lock
        self.node = f"{prefix}.1"
        # A ring: what is released goes to its end, because DNS caches and clients may still name it for a while.
        self._free = deque(f"{prefix}.{host}" for host in range(2, 255))

    @classmethod
    def take(cls) -> "Network":
        """Take a /24 that no other lab on this machine has, until close() or the process's death.

        Raises LabError where 127.0.0.0/8 can't be bound.
        """
        for _ in range(ATTEMPTS):
            prefix = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}"  # noqa: S311 (nobody is to be fooled)
            lock = socket.socket()
            try:
                # Bound without listening: no port is open, and the kernel frees it even after kill -9.
                lock.bind((f"{prefix}.1", LOCK_PORT))
            except OSError as error:
                lock.close()
                if error.errno == errno.EADDRINUSE:
                    continue
                raise LabError(
                    f"cannot bind {prefix}.1 ({error.strerror}): the lab needs all of 127.0.0.0/8 on loopback; "
                    f"use Linux, or on macOS the provided container"
                ) from error
            return cls(prefix, lock)
        raise LabError(
            f"found no free network in {ATTEMPTS} tries: port {LOCK_PORT} is in use on each; "
            f"stop what listens there (ss -lntp 'sport = {LOCK_PORT}') or other labs"
        )

    def allocate(self) -> str:
        """An address that nobody has, the one that was released longest ago."""
        if not self._free:
            raise LabError("all 253 addresses of the lab's network are in use; delete some pods or Services")
        return self._free.popleft()

    def claim(self, address: str) -> bool:
        """Take this very address; False if it is not this lab's, or somebody has it."""
        if address not in self._free:
            return False
        self._free.remove(address)
        return True

    def release(self, address: str) -> None:
        """Give an allocated address back."""
        self._free.append(address)

    def close(self) -> None:
        """Free the /24 for other labs."""
        self._lock.close()
