"""Every adaptation of a manifest to loopback, and nothing else: what can't be the same where pods share one machine.

Has no counterpart in Kubernetes, where network and mount namespaces do it. What a container is told in its arguments,
its environment and its mounted files is rewritten, in one pass over the text:

- wildcard and localhost addresses become the pod's own IP;
- DNS names in gRPC targets are asked of the lab's DNS server, whether there is such a Service or not: a question must
  never go to the machine's own resolver. In arguments and environment a target is a whole word `NAME:PORT`, or the
  value of a `--flag=`; in files, the value of `server_uri` or `target_uri`; `dns:` ones everywhere;
- paths under a volumeMount become those of the pod's directory;
- ports below 1024 of addresses and targets move up by 10000;
- Envoy gets the lab's DNS server as its resolver and no hot restart, whose shared memory two Envoys would both claim.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PRIVILEGED, MOVED_BY = 1024, 10_000
DEFAULT_PORT = 443  # of a gRPC target without one

LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
NAME = rf"[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.{LABEL})*\.?"
# An own address: not a part of a longer name, number or path, and no CIDR.
ADDRESS = r"""
    (?<![\w.-])(?<!(?<!/)/)(?P<host>0\.0\.0\.0|127\.0\.0\.1|localhost|%s)(?![\w-]|\.\w|/\d)(?::(?P<port>\d{1,5})(?!\d))?
    | (?<![\w\]])\[::1?\](?=:\d|\]?$|[\s"',;])(?::(?P<port6>\d{1,5}))?
    | (?<![^\s"'=])::1?(?![^\s"',;])
"""
DNS_TARGET = rf"(?<![\w-])dns:(?:///)?(?P<dns>{NAME})(?::(?P<dns_port>\d{{1,5}}))?(?![^\s\"',;])"
WORD_TARGET = rf"(?<![^\s\"'=])(?P<word>{NAME}):(?P<word_port>\d{{1,5}})(?![^\s\"';])"
FILE_TARGET = rf"""(?P<key>(?:server_uri|target_uri)["']?\s*[:=]\s*["']?)(?P<uri>{NAME}):(?P<uri_port>\d{{1,5}})"""
FILE_PORT = r"""(?P<port_key>port_value["']?\s*:\s*)(?P<port_value>\d{1,3})(?!\d)"""

ENVOY_RESOLVER = "envoy.network.dns_resolver.cares"
ENVOY_RESOLVER_TYPE = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"


def moved(port: int) -> int:
    """The port that the lab uses instead: everybody may listen there."""
    return port + MOVED_BY if 0 < port < PRIVILEGED else port


@dataclass(frozen=True)
class Loopback:
    """The adaptations of one container."""

    pod_ip: str
    dns: str  # `IP:PORT` of the DNS server of the pod's namespace
    mounts: Mapping[str, Path]  # mountPath → what lies there

    def word(self, text: str) -> str:
        """An argument or the value of a variable, adapted. One that is JSON or YAML is taken for a file."""
        if text.lstrip().startswith(("{", "[")):
            return self.file(text)
        return self._words.sub(self._replace, text)

    def command(self, argv: list[str]) -> list[str]:
        """A command that is run in a container that runs, adapted."""
        adapted = [self.word(argument) for argument in argv]
        if argv[:2] == ["tar", "cf"]:  # kubectl cp from there, which wants members to be named as it has asked
            for mount, path in self.mounts.items():
                adapted.append(f"--transform=s,^{str(path).lstrip('/')},{mount.strip('/')},")
        return adapted

    def file(self, text: str) -> str:
        """The text of a mounted file, adapted."""
        return self._files.sub(self._replace, text)

    def envoy(self, argv: list[str]) -> list[str]:
        """The command line of an Envoy, with the lab's DNS server as its default resolver."""
        argv = list(argv)
        bootstrap: dict[str, Any] = {}
        if "--config-yaml" in argv[:-1]:  # it takes one only
            at = argv.index("--config-yaml")
            bootstrap = yaml.safe_load(argv[at + 1])
            del argv[at : at + 2]
        address, _, port = self.dns.rpartition(":")
        bootstrap["typed_dns_resolver_config"] = {
            "name": ENVOY_RESOLVER,
            "typed_config": {
                "@type": ENVOY_RESOLVER_TYPE,
                "resolvers": [{"socket_address": {"address": address, "port_value": int(port)}}],
                "dns_resolver_options": {"no_default_search_domain": True},  # those of this machine
            },
        }
        # Not --use-dynamic-base-id: killed with -9, it leaves its shared memory in /dev/shm.
        own_base = [] if "--disable-hot-restart" in argv else ["--disable-hot-restart"]
        return [*argv, *own_base, "--config-yaml", yaml.safe_dump(bootstrap, default_flow_style=True, width=10**6)]

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return self._pattern(WORD_TARGET)

    @cached_property
    def _files(self) -> re.Pattern[str]:
        return self._pattern(FILE_TARGET, FILE_PORT)

    def _pattern(self, *own: str) -> re.Pattern[str]:
        patterns = [ADDRESS % re.escape(self.pod_ip), DNS_TARGET, *own]
        if mounts := [path.rstrip("/") for path in sorted(self.mounts, key=len, reverse=True) if path != "/"]:
            paths = "|".join(map(re.escape, mounts))
            patterns.append(rf"(?:(?<![\w./-])|(?<=://))(?P<path>{paths})(?![\w.-])")
        return re.compile("|".join(patterns), re.VERBOSE)

    def _replace(self, match: re.Match[str]) -> str:
        found = match.groupdict()
        if path := found.get("path"):
            return str(next(at for mount, at in self.mounts.items() if mount.rstrip("/") == path))
        if name := found.get("dns"):
            return self._target(name, found["dns_port"] or DEFAULT_PORT)
        if name := found.get("word"):
            return self._target(name, found["word_port"])
        if name := found.get("uri"):
            return str(found["key"]) + self._target(name, found["uri_port"])
        if port := found.get("port_value"):
            return f"{found['port_key']}{moved(int(port))}"
        port = found["port"] or found["port6"]
        return self.pod_ip + (f":{moved(int(port))}" if port else "")

    def _target(self, name: str, port: str | int) -> str:
        address = self.pod_ip if name == "localhost" else f"dns://{self.dns}/{name}"
        return f"{address}:{moved(int(port))}"
