"""The ingress controller as a program of its own, on the API of any cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from testing.processes import Process, loopback_network, process


@contextmanager
def controller(config: str, name: str, *flags: str) -> Iterator[tuple[Process, str]]:
    """One that serves the IngressClasses of a controller's name, and its address; killed in the end.

    Its files go with the block: killed, it can't remove them.
    """
    address = f"{loopback_network()}.1"
    listen = (f"--http={address}:8080", f"--https={address}:8443", f"--healthz={address}:8254")
    which = (f"--controller-class={name}", f"--publish-status-address={address}")
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        env = {"KUBECONFIG": config, "TMPDIR": directory}
        with process("lab.ingress_nginx", *listen, *which, *flags, env=env) as running:
            running.line("nginx listens on")
            yield running, address
