"""Names that pods ask for: Envoy finds a Service by its own, and no question goes past the lab's DNS."""

from collections.abc import AsyncIterator

import pytest

from lab.apimachinery.store import Object
from lab.controllers import endpointslices
from lab.objects.defaults import set_defaults
from lab.testing import running
from lab.testing.pod_lab import ENVOY, NAMESPACE, PodLab, container

BOOTSTRAP = """
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 901}}}
static_resources:
  listeners:
  - name: greeter
    address: {socket_address: {address: 0.0.0.0, port_value: 9000}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: greeter
          cluster: greeter
  clusters:
  - name: greeter
    cluster_type:
      name: envoy.clusters.dns
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster
        dns_refresh_rate: 0.2s
    load_assignment:
      cluster_name: greeter
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: greeter, port_value: 8000}}}
"""


@pytest.fixture
async def greeter(lab: PodLab) -> AsyncIterator[str]:
    """The IP of a ready greeter behind a headless Service `greeter`."""
    probe = {"grpc": {"port": 8000}, "periodSeconds": 1}
    command = ["python", "-m", "greeter_server", "--address=0.0.0.0:8000"]
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": "greeter"},
        "spec": {"clusterIP": "None", "selector": {"app": "greeter"}, "ports": [{"port": 8000, "targetPort": 8000}]},
    }
    set_defaults("services", service)
    async with running(endpointslices.run(lab.store)):
        lab.store.create("services", service)
        lab.create("greeter", containers=[container("app", command, readinessProbe=probe)])
        await lab.ready("greeter")
        yield str(lab.status("greeter")["podIP"])


def client(target: str) -> Object:
    return container("app", ["python", "-m", "client_roundrobin.client"], args=[f"--target={target}"])


async def test_a_name_that_is_no_service_is_answered_by_the_labs_dns_too(lab: PodLab, greeter: str) -> None:
    lab.create(containers=[client("nosuch:8000")])
    await lab.logged("Domain name not found")  # NXDOMAIN, as on a cluster
    assert "Backend IP" not in lab.log()


async def test_envoy_finds_a_service_by_its_name(lab: PodLab, greeter: str) -> None:
    lab.config_map("envoy", **{"envoy.yaml": BOOTSTRAP})
    envoy = container("app", [], ENVOY, args=["-c", "/etc/envoy/envoy.yaml"])
    envoy["volumeMounts"] = [{"name": "config", "mountPath": "/etc/envoy"}]
    envoy["readinessProbe"] = {"httpGet": {"port": 901, "path": "/ready"}, "periodSeconds": 1}
    volumes = [{"name": "config", "configMap": {"name": "envoy"}}]
    lab.create("proxy", containers=[envoy], volumes=volumes)
    lab.create("other-proxy", containers=[envoy], volumes=volumes)  # two on one machine
    await lab.ready("proxy", within=20)
    await lab.ready("other-proxy", within=20)
    for proxy in ("proxy", "other-proxy"):
        lab.create(f"via-{proxy}", containers=[client(f"{lab.status(proxy)['podIP']}:9000")])
        await lab.logged(f"(Backend IP: {greeter})", pod=f"via-{proxy}")
