"""The cluster and the user that the kubeconfig's current context names, found as kubectl finds them.

KUBECONFIG may list files: the first to set a value wins, and those that are not there are passed over.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from compare.plugin import Plugin

DEFAULT = "~/.kube/config"
KINDS = {"clusters": "cluster", "contexts": "context", "users": "user"}
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")  # relative to their kubeconfig


@dataclass(frozen=True)
class Access:
    """How to reach a cluster, and as whom."""

    config: SingleConfig
    proxy: str | None
    plugin: Plugin | None


def load() -> Access:
    """Raises ConfigError, OSError or YAMLError where no cluster is named."""
    files = [Path(file).expanduser() for file in os.environ.get("KUBECONFIG", "").split(os.pathsep) if file]
    files = files or [Path(DEFAULT).expanduser()]
    there = [_read(file) for file in files if file.exists()]
    if not there:
        return Access(_of_this_pod(files), None, None)
    name = next((file["current-context"] for file in there if file.get("current-context")), None)
    if name is None:
        raise ConfigError("the kubeconfig has no current context; choose one: kubectl config use-context NAME")
    context = _named(there, "contexts", name)
    cluster = _named(there, "clusters", context.get("cluster"))
    user = _named(there, "users", context["user"]) if context.get("user") else {}
    if "as" in user:
        raise ConfigError(f"user {context['user']} acts as {user['as']}, which compare can't; name another user")
    halves = [any(user.get(half + end) for end in ("", "-data")) for half in ("client-certificate", "client-key")]
    if halves[0] != halves[1]:
        raise ConfigError(f"user {context['user']} has a client-certificate or a client-key alone; give both")
    for place in [*cluster.values(), *user.values()]:
        if isinstance(place, Path):
            place.open().close()  # a TLS library would not say which file it can't read
    plugin = _plugin(user.pop("exec", None))
    merged = {"clusters": cluster, "contexts": context | {"cluster": name, "user": name}, "users": user}
    made = {kind: [{"name": name, KINDS[kind]: _plain(body)}] for kind, body in merged.items()}
    config = KubeConfig.from_dict(made | {"current-context": name}).get()
    assert config
    return Access(config, cluster.get("proxy-url"), plugin)


def _read(file: Path) -> dict[str, Any]:
    """A kubeconfig, its entries by name."""
    content = yaml.safe_load(file.read_text()) or {}
    try:
        named = {
            kind: {entry["name"]: _placed(entry.get(field) or {}, file.parent) for entry in content.get(kind) or ()}
            for kind, field in KINDS.items()
        }
        return named | {"current-context": content.get("current-context")}
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is no kubeconfig") from error


def _placed(body: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """With the files that it names as Paths, wherever compare runs."""
    placed = {key: directory.absolute() / value if key in FILES and value else value for key, value in body.items()}
    plugin = body.get("exec") or {}
    if os.sep in plugin.get("command", ""):
        placed["exec"] = plugin | {"command": str(directory.absolute() / plugin["command"])}
    return placed


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in body.items()}


def _named(files: list[dict[str, Any]], kind: str, name: Any) -> dict[str, Any]:
    for file in files:
        if name in file[kind]:
            return dict(file[kind][name])
    known = ", ".join(sorted({str(name) for file in files for name in file[kind]})) or "none"
    raise ConfigError(f"the kubeconfig has no {KINDS[kind]} '{name}'; it has {known}")


def _plugin(given: Any) -> Plugin | None:
    try:
        return Plugin(given) if given else None
    except (KeyError, TypeError) as error:
        raise ConfigError("the user's exec is incomplete; it takes apiVersion and command") from error


def _of_this_pod(files: list[Path]) -> SingleConfig:
    try:
        config = KubeConfig.from_service_account().get()
    except (ConfigError, KeyError):
        raise ConfigError(f"there is no {' and no '.join(map(str, files))}") from None
    assert config
    return config
