"""The cluster and the user that the kubeconfig's current context names, found as kubectl finds them.

KUBECONFIG may list files: the first to set a value wins, and those that are not there are passed over. lightkube
contributes the CA, the certificates and tokens; its own credential plugins know the API's beta alone, and are waited
for without end.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from lightkube import ApiError, KubeConfig
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from compare.api import Api
from compare.errors import ClusterError, CompareError
from compare.program import output

TIMEOUT = httpx2.Timeout(30)  # seconds that one answer may take
PLUGIN_TIMEOUT = 60.0  # seconds that a credential plugin may take
DEFAULT = "~/.kube/config"
KINDS = {"clusters": "cluster", "contexts": "context", "users": "user"}
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")  # relative to their kubeconfig


class Plugin(httpx2.Auth):
    """A credential plugin, the program by which users of EKS, GKE, AKS and others log in (`exec` in a kubeconfig).

    The token that it prints; it is asked again where the API knows the token no longer.
    Source: Kubernetes' reference, Authenticating, client-go credential plugins.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self._command = str(given["command"])
        self._args = [str(arg) for arg in given.get("args") or ()]
        asked = {"apiVersion": given["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {entry["name"]: entry["value"] for entry in given.get("env") or ()}
        self._env = {**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(asked)}
        self._hint = " ".join(str(given.get("installHint") or "").split())
        self._token = ""

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = self._token = self._token or await self._asked()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == 401:
            if self._token == used:  # else another request has asked meanwhile
                self._token = await self._asked()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    async def _asked(self) -> str:
        what = f"credential plugin {self._command}"
        try:
            printed = await output(what, [self._command, *self._args], PLUGIN_TIMEOUT, self._env)
        except CompareError as error:
            remedy = self._hint or "log in again, as for kubectl"
            raise ClusterError(f"no cluster: {error}; {remedy}") from error
        try:
            return str(json.loads(printed)["status"]["token"])
        except (ValueError, KeyError, TypeError):
            raise ClusterError(f"no cluster: {what} prints no token; try kubectl get nodes") from None


@asynccontextmanager
async def connect() -> AsyncIterator[Api]:
    """Connect to the cluster that KUBECONFIG names, or ~/.kube/config. Raises ClusterError where none answers."""
    try:
        access = await asyncio.to_thread(load)
        parameters = client_adapter.ConnectionParams(TIMEOUT, trust_env=False, proxy=access.proxy)
        client = await asyncio.to_thread(client_adapter.AsyncClient, access.config, parameters)  # it reads files
    except (ConfigError, yaml.YAMLError, OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"no cluster: {reason}; set KUBECONFIG, or try `make lab`") from error
    if access.plugin:
        client.auth = access.plugin
    async with client as http:
        api = Api(http)
        with suppress(ApiError):  # not everybody may ask
            if "gitVersion" not in await api.get("/version"):
                raise ClusterError(f"{http.base_url} is no Kubernetes API; is KUBECONFIG right?")
        yield api


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
