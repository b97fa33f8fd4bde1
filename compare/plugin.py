"""Credential plugins, the programs by which users of EKS, GKE, AKS and others log in (`exec` in a kubeconfig).

lightkube's own knows the API's beta alone, and waits for its plugin for ever.
Source: Kubernetes' reference, Authenticating, client-go credential plugins.
"""

import json
import os
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

from compare.errors import ClusterError, CompareError
from compare.program import output

LIMIT = 60.0  # seconds that a plugin may take


class Plugin(httpx2.Auth):
    """The token that a plugin prints; it is asked again where the API knows the token no longer."""

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
            printed = await output(what, [self._command, *self._args], LIMIT, self._env)
        except CompareError as error:
            remedy = self._hint or "log in again, as for kubectl"
            raise ClusterError(f"no cluster: {error}; {remedy}") from error
        try:
            return str(json.loads(printed)["status"]["token"])
        except (ValueError, KeyError, TypeError):
            raise ClusterError(f"no cluster: {what} prints no token; try kubectl get nodes") from None
