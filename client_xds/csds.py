"""What an xDS client believes, and what it has refused: `python -m client_xds.csds 127.0.0.1:9901`.

The client is asked by CSDS, the ClientStatusDiscoveryService of gRFC A40, at the address where it serves that: the
greeter client's is given by --admin-address.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_admin
from envoy.admin.v3.config_dump_shared_pb2 import ClientResourceStatus
from envoy.service.status.v3.csds_pb2 import ClientConfig, ClientStatusRequest
from envoy.service.status.v3.csds_pb2_grpc import ClientStatusDiscoveryServiceStub

TIMEOUT = 5.0  # seconds


class CsdsError(Exception):
    """There is nothing to be learned there; the message says why, with the remedy."""


def serve(address: str) -> grpc.Server:
    """Serve this process's own CSDS and channelz there, until it ends; the type of a flag."""
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    grpc_admin.add_admin_servicers(server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC has just logged the reason
        raise argparse.ArgumentTypeError(
            f"cannot listen on '{address}'; is it HOST:PORT, and the port free?"
        ) from error
    server.start()
    return server


def ask(address: str) -> list[ClientConfig]:
    """What each xDS client of that process has: one for each target of its channels. Raises CsdsError."""
    with grpc.insecure_channel(address) as channel:
        try:
            answer = ClientStatusDiscoveryServiceStub(channel).FetchClientStatus(ClientStatusRequest(), timeout=TIMEOUT)
        except grpc.RpcError as error:
            remedy = "give the address that the client was given as --admin-address"
            raise CsdsError(f"{address}: {error.code().name}: {error.details()}; {remedy}") from error
    if not answer.config:
        raise CsdsError(f"{address}: no xDS client in that process; has it a channel to an xds:///NAME?")
    return list(answer.config)


def describe(client: ClientConfig) -> str:
    """A line per resource: type, name, version, state, and why it was refused."""
    rows = []
    for each in client.generic_xds_configs:
        kind, state = each.type_url.rpartition(".")[2], ClientResourceStatus.Name(each.client_status)
        rows.append((kind, each.name, each.version_info or "-", state, each.error_state.details))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:3]
    return "\n".join(
        "  ".join([*(word.ljust(width) for word, width in zip(row, widths, strict=False)), *row[3:]]).rstrip()
        for row in sorted(rows)
    )


def main() -> int:
    parser = argparse.ArgumentParser(usage="%(prog)s ADDRESS", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("address", metavar="ADDRESS", help="of the client's --admin-address: 127.0.0.1:9901 say")
    try:
        print("\n\n".join(map(describe, ask(parser.parse_args().address))))
    except CsdsError as error:
        print(f"csds: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
