"""`python -m lab.ingress_nginx`: serves the Ingresses of the cluster that KUBECONFIG names, until SIGTERM or SIGINT."""

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from pathlib import Path

import httpx2
from lightkube import AsyncClient

from endpoint_watch.connection import ConnectionFailed, current_config, explained
from lab.ingress_nginx.mirror import Key, Mirror
from lab.ingress_nginx.nginx import Nginx, NginxError
from lab.ingress_nginx.nginx_conf import Addresses, render
from lab.ingress_nginx.reports import Reports, addresses
from lab.ingress_nginx.routes import routes

GATHER = 0.05  # seconds in which changes that come together are taken together: a rollout writes several objects
LEVELS = {2: "notice", 3: "info", 5: "debug"}  # of nginx, by --v


def parsed() -> argparse.Namespace:
    flags = argparse.ArgumentParser("nginx-ingress-controller", description=(__doc__ or "").partition("\n")[0])
    add = flags.add_argument
    add("--http", type=address, default="127.0.0.1:8080", help="where to listen (default %(default)s)")
    add("--https", type=address, default="127.0.0.1:8443", help="the same for TLS (default %(default)s)")
    add("--healthz", type=address, default="127.0.0.1:10254", help="the same for GET /healthz (default %(default)s)")
    add("--controller-class", default="k8s.io/ingress-nginx", help="of IngressClasses to serve (default %(default)s)")
    add("--configmap", type=key, default="ingress-nginx/ingress-nginx-controller", help="default %(default)s")
    add("--publish-service", type=key, help="whose address Ingresses get as their status, NAMESPACE/NAME")
    add("--publish-status-address", default="", help="an address that they get instead")
    add("--shutdown-grace-period", type=int, default=0, help="seconds to serve on for when told to end (default 0)")
    add("--v", type=int, choices=LEVELS, default=2, help="verbosity: 5 has what nginx says of each call (default 2)")
    return flags.parse_args()


def address(text: str) -> str:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is no address; write HOST:PORT, 0.0.0.0:8080 say")
    return text


def key(text: str) -> Key:
    """NAMESPACE/NAME."""
    namespace, _, name = text.partition("/")
    if not (namespace and name):
        raise argparse.ArgumentTypeError(f"'{text}' names no object; write NAMESPACE/NAME")
    return namespace, name


async def serve(flags: argparse.Namespace) -> None:
    """Raises NginxError and ConnectionFailed."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    with explained():
        client = AsyncClient(current_config(), trust_env=False)
    mirror, reports = Mirror(client), Reports(client)
    with tempfile.TemporaryDirectory(prefix="ingress-nginx-") as directory:
        nginx = Nginx(Path(directory), Addresses(flags.http, flags.https, flags.healthz))
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(each) for each in (mirror.run(), nginx.watch())]
                running.append(tasks.create_task(reconcile(flags, mirror, nginx, reports)))
                await told.wait()
                logging.info("told to end: serving on for %d s", flags.shutdown_grace_period)
                # Whoever connects anew still finds it, until all have heard that it ends.
                await asyncio.sleep(flags.shutdown_grace_period)
                for task in running:
                    task.cancel()
        finally:
            await nginx.end()
            await client.close()


async def reconcile(flags: argparse.Namespace, mirror: Mirror, nginx: Nginx, reports: Reports) -> None:
    """Bring nginx, and what is said, to what the cluster holds, whenever that changes."""
    while True:
        await mirror.changed.wait()
        await asyncio.sleep(GATHER)
        mirror.changed.clear()
        if not mirror.complete:
            continue
        wanted = routes(mirror, flags.controller_class, flags.configmap)
        served = await nginx.configure(render(wanted, nginx.addresses, LEVELS[flags.v], nginx.certificate))
        service = mirror.all("Service").get(flags.publish_service)
        try:
            await reports.warn(wanted.problems)
            if served:
                await reports.publish(wanted.ingresses, addresses(service, flags.publish_status_address))
        except httpx2.RequestError as error:
            logging.warning("the API is away: %s; nothing is reported", error)


def main() -> int:
    flags = parsed()
    level = logging.DEBUG if flags.v >= 5 else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=level, stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(flags))
        return 0
    except* (NginxError, ConnectionFailed) as errors:
        for error in errors.exceptions:
            print(f"nginx-ingress-controller: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
