"""Targets that gRPC would refuse at the first call, refused before it with a reason.

Source: gRPC's naming document (doc/naming.md) and the resolvers registered in C-core.
"""

import argparse
import re

SCHEMES = ("dns", "ipv4", "ipv6", "unix", "unix-abstract", "xds")


def target(text: str) -> str:
    """The target as given. Raises argparse.ArgumentTypeError where gRPC could not make sense of it."""
    scheme, endpoint = _split(text)
    if scheme not in SCHEMES:
        raise argparse.ArgumentTypeError(
            f"'{text}': no scheme '{scheme}'; use one of {', '.join(SCHEMES)}, or HOST:PORT"
        )
    if scheme in ("dns", "ipv4", "ipv6"):
        for address in endpoint.split(","):
            host, _, port = address.rpartition(":")
            if not host or re.search(r"[\s/]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
                raise argparse.ArgumentTypeError(f"'{text}' is no target; write HOST:PORT, dns:///HOST:PORT say")
    if not endpoint:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing; write {scheme}:///NAME")
    return text


def _split(text: str) -> tuple[str, str]:
    uri = re.fullmatch(r"([a-z][a-z0-9+.-]*):(?:(//)([^/]*)/)?(.*)", text)
    if not uri or (uri[1] not in SCHEMES and not uri[2]):  # localhost:8000 looks like a scheme, and is none
        return "dns", text
    return uri[1], uri[4]
