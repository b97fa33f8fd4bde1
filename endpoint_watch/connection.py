"""The connection to the Kubernetes API: lightkube contributes the kubeconfig, the credentials and the CA."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx2
from lightkube import KubeConfig
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError
from yaml import YAMLError

TIMEOUT = 30.0  # seconds that one answer may take


class ConnectionFailed(Exception):
    """No cluster is named, or not so that it could be reached; the message says why, and the remedy."""


@dataclass(frozen=True)
class Api:
    """A connection and the namespace that its context names."""

    http: httpx2.AsyncClient
    namespace: str


@asynccontextmanager
async def connect() -> AsyncIterator[Api]:
    """The cluster that KUBECONFIG names, else the one that this pod is in, else that of ~/.kube/config.

    Nothing is asked of it yet: it may be away for now. Raises ConnectionFailed.
    """
    with explained():
        config = current_config()
        parameters = client_adapter.ConnectionParams(httpx2.Timeout(TIMEOUT), trust_env=False)
        client = await asyncio.to_thread(client_adapter.AsyncClient, config, parameters)  # it reads files
    async with client:
        yield Api(client, config.namespace)


@contextmanager
def explained() -> Iterator[None]:
    """Raises ConnectionFailed for whatever may be wrong with a kubeconfig and what it names."""
    try:
        yield
    except (ConfigError, YAMLError, OSError, ValueError, AssertionError, httpx2.InvalidURL) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConnectionFailed(f"no cluster: {reason}; set KUBECONFIG to a kubeconfig file") from error


def current_config() -> SingleConfig:
    """That of the cluster that `connect` connects to; to be called in `explained`."""
    named = os.environ.get("KUBECONFIG")
    try:
        kubeconfig = KubeConfig.from_file(named) if named else KubeConfig.from_env()
        if not kubeconfig.current_context:
            raise ConfigError("the kubeconfig has no current context; choose one: kubectl config use-context NAME")
        config = kubeconfig.get()
    except (AttributeError, LookupError, TypeError) as error:
        raise ConfigError(f"{named or 'the default'} is no complete kubeconfig") from error
    assert config, "no current context"
    return config
