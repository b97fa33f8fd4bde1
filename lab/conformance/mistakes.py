"""What people get wrong in manifests: a good object of each kind, and values that don't belong where they are put.

What a cluster answers to each is in answers.json, as `python -m lab.conformance.answers` has recorded it. It takes some
of them: then the lab takes them too.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lab.conformance.api import Object
from lab.conformance.manifests import SLEEP, changed, configmap, container, deployment, ingress, job, pod, service


class Mistake(NamedTuple):
    """A value in the place of another. None is no value at all, as everywhere in the API."""

    plural: str
    path: str
    value: Any

    @property
    def name(self) -> str:
        return f"{self.plural} {self.path}={json.dumps(self.value):.140}"

    def made_in(self, obj: Object) -> Object:
        return changed(obj, self.path, self.value)


LONG = "a" * 64
BIG = "x" * (1 << 20)
EXEC = {"command": ["true"]}
FIELD = {"fieldPath": "metadata.name"}
KEY = {"name": "c", "key": "k"}
GRPC = {"port": 8000}
IN = {"key": "a", "operator": "In"}


def secret(**fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}} | fields


def _pod() -> Object:
    main = container(
        SLEEP,
        ports=[{"name": "grpc", "containerPort": 8000}],
        env=[{"name": "A", "value": "1"}],
        envFrom=[{"configMapRef": {"name": "c"}}],
        volumeMounts=[{"name": "v", "mountPath": "/v"}],
        readinessProbe={"grpc": {"port": 8000}},
    )
    volumes = [{"name": name, "configMap": {"name": "c"}} for name in "vw"]
    return pod("web", main, initContainers=[container(SLEEP, "init")], volumes=volumes)


GOOD: dict[str, Callable[[], Object]] = {
    "pods": _pod,
    "deployments": lambda: deployment("web", container(SLEEP), replicas=0),
    "jobs": lambda: job("web", SLEEP, suspend=True, completions=1),
    "services": lambda: service("web"),
    "configmaps": lambda: configmap("web", data={"a": "b"}),
    "secrets": lambda: secret(data={"a": "YQ=="}),
    "ingresses": lambda: ingress("web"),
    "namespaces": lambda: {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}},
}

# What changes are made to: it is there already, and nothing runs of it.
EXISTING = GOOD | {
    "pods": lambda: pod("web", container(SLEEP), schedulingGates=[{"name": "example.com/wait"}]),
    "configmaps": lambda: configmap("web", data={"a": "b"}, immutable=True),
    "secrets": lambda: secret(data={"a": "YQ=="}, immutable=True),
}

Values = dict[str, list[Any]]  # by the path that each of them is put at

ENV_SOURCES: list[Object] = [
    {},
    {"fieldRef": FIELD, "configMapKeyRef": KEY},
    {"fieldRef": {}},
    {"fieldRef": {"fieldPath": ""}},
    {"fieldRef": {"fieldPath": "status.colour"}},
    {"fieldRef": {"fieldPath": "metadata.labels"}},
    {"fieldRef": {"fieldPath": "metadata.labels['app']"}},
    {"fieldRef": {"fieldPath": "metadata.labels['a b']"}},
    {"fieldRef": {"fieldPath": 'metadata.labels["app"]'}},
    {"fieldRef": {"fieldPath": "metadata.name['a']"}},
    {"fieldRef": FIELD | {"apiVersion": "v9"}},
    {"configMapKeyRef": {"name": "c"}},
    {"configMapKeyRef": {"key": "k"}},
    {"configMapKeyRef": {"name": "c", "key": "a/b"}},
    {"secretKeyRef": {"name": "s"}},
    {"secretKeyRef": {"name": "S", "key": "k"}},
    {"resourceFieldRef": {"resource": "limits.colour"}},
    {"resourceFieldRef": {}},
]
VOLUME_SOURCES: list[Object] = [
    *({"configMap": {}}, {"configMap": {"name": ""}}, {"configMap": {"name": "c"}, "emptyDir": {}}, {"secret": {}}),
    *({"secret": {"name": "s"}}, {"configMap": "c"}, {"configmap": {"name": "c"}}, {"emptyDir": None}),
    *({"emptyDir": {"sizeLimit": "-1Mi"}}, {"emptyDir": {"medium": "Disk"}}, {"hostPath": {}}),
    *({"hostPath": {"path": "/a/../b"}}, {"hostPath": {"path": "/a", "type": "Folder"}}),
    *({"persistentVolumeClaim": {}}, {"projected": {"sources": [{}]}}, {"downwardAPI": {"items": [{}]}}),
    *({"downwardAPI": {"items": [{"path": "..x", "fieldRef": FIELD}]}}, {"nfs": {"server": "s"}}),
    {"projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "/x"}]}}]}},
]
CONTAINER: Values = {
    "name": [None, "", "A", "a_b", "a.b", LONG, 7],
    "image": [None, "", " greeter:dev", 7],
    "imagePullPolicy": ["always", "Sometimes"],
    "command": ["sleep 1", [1]],
    "args": ["--flag", [True], {"a": "b"}],
    "workingDir": [7],
    "restartPolicy": ["Never", "Always", "OnFailure", "Sometimes"],
    "terminationMessagePolicy": ["Log"],
    "tty": ["yes"],
    "port": [8000],
    "ports": [8000, [8000], [GRPC], [{"name": n, "containerPort": 1} for n in "aa"], [{"containerPort": 1}] * 2],
    "ports.0.containerPort": [None, 0, -1, 70000, "8000", "grpc", 1.5],
    "ports.0.name": ["", "GRPC", "a_b", "80", "a--b", "-a", "longer-than-15-characters"],
    "ports.0.protocol": ["tcp", "GRPC", ""],
    "ports.0.hostPort": [70000],
    "ports.0.hostIP": ["here"],
    "env": [{"A": "1"}, ["A=1"], [{"name": "A", "value": "1"}] * 2],
    "env.0.name": [None, "", "A=B", "1 A", 7],
    "env.0.value": [1, True, ["a"]],
    "env.0.valueFrom": [{"fieldRef": FIELD}],
    "env.0": [{"name": "A", "valueFrom": source} for source in ENV_SOURCES],
    "envFrom": [[{}], [{"configMapRef": {"name": "c"}, "secretRef": {"name": "s"}}], [{"secretRef": {}}]],
    "envFrom.0.prefix": ["A=", "a-"],
    "envFrom.0.configMapRef": ["c", {"name": "A B"}, {}],
    "resources": [{"cpu": "1"}, {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}, {"requests": {"memory": "0.5"}}],
    "resources.limits": [
        *({"cpu": "lots"}, {"cpu": -1}, {"cpu": "1.5"}, {"cpu": True}),
        *({"memory": "64MB"}, {"memory": "64Mb"}, {"memory": "64 Mi"}, {"cpus": "1"}, {"example.com/gpu": "0.5"}),
    ],
    "resources.requests": [{"memory": "-1Mi"}, {"colour": "1"}],
    "volumeMounts": [
        *([{"name": "none", "mountPath": "/d"}], [{"name": "v", "mountPath": "/d"}] * 2, {"v": "/v"}),
        [{"name": "v"}],
    ],
    "volumeMounts.0.name": [None, "", "V"],
    "volumeMounts.0.mountPath": ["", "data", "/a:/b"],
    "volumeMounts.0.subPath": ["a/../../x", "/x"],
    "volumeMounts.0.subPathExpr": ["/x"],
    "volumeMounts.0": [{"name": "v", "mountPath": "/v", "subPath": "a", "subPathExpr": "b"}],
    "volumeMounts.0.mountPropagation": ["Both"],
    "readinessProbe": [
        *({}, {"periodSeconds": 1}, {"grpc": GRPC, "tcpSocket": GRPC}, {"httpGet": {"port": 1}, "grpc": GRPC}),
        *({"grpc": {}}, {"grpc": {"port": 0}}, {"grpc": {"port": 70000}}, {"grpc": {"port": "grpc"}}),
        *({"httpGet": {}}, {"httpGet": {"port": 0}}, {"httpGet": {"port": "HTTP"}}, {"httpGet": {"port": "80"}}),
        *({"httpGet": {"port": "longer-than-15-characters"}}, {"httpGet": {"port": 1, "path": "healthz"}}),
        *({"httpGet": {"port": 1, "path": ""}}, {"httpGet": {"port": 1, "scheme": "http"}}),
        *({"httpGet": {"port": 1, "httpHeaders": [{"name": "a b", "value": ""}]}}, {"httpGet": 80}),
        *({"tcpSocket": {}}, {"tcpSocket": {"port": "none"}}, {"exec": {}}, {"exec": {"command": "true"}}),
        {"http": {"port": 1}},
    ],
    "readinessProbe.periodSeconds": [0, -1, "1s", 0.5],
    "readinessProbe.timeoutSeconds": [0, -1, "1s"],
    "readinessProbe.initialDelaySeconds": [-1],
    "readinessProbe.successThreshold": [0, -1, 2],
    "readinessProbe.failureThreshold": [-1],
    "readinessProbe.terminationGracePeriodSeconds": [1],
    "livenessProbe": [
        *({"grpc": GRPC, "successThreshold": 2}, {"exec": EXEC, "periodSeconds": -2}, {"exec": {}}),
        *({"grpc": {"port": 0}}, {"grpc": GRPC, "terminationGracePeriodSeconds": 0}),
    ],
    "startupProbe": [{"grpc": GRPC, "successThreshold": 2}, {"failureThreshold": 30}],
    "lifecycle": [{}, {"preStop": {}}, {"preStop": {"exec": EXEC, "sleep": {"seconds": 1}}}, {"stopSignal": "STOP"}],
    "lifecycle.preStop": [
        *({"sleep": {"seconds": 100}}, {"sleep": {"seconds": -1}}, {"sleep": 1}, {"sleep": {}}, {"exec": {}}),
        *({"grpc": GRPC}, {"httpGet": {"port": 0}}),
    ],
    "lifecycle.postStart": [{}, {"exec": {"command": []}}],
    "securityContext.runAsUser": [-1, "root"],
    "securityContext.privileged": [True],
    "securityContext.seccompProfile": [{}, {"type": "Default"}, {"type": "Localhost"}],
    "securityContext.capabilities.drop": ["ALL"],
}
METADATA: Values = {
    "metadata.name": [None, "Web", "web_1", "-web", "a" * 254, 7],
    "metadata.namespace": ["elsewhere"],
    "metadata.labels": [
        {"a b": "c"},
        {"a": "b c"},
        {"a": LONG},
        {"a": 1},
        {"a": None},
        ["a"],
        {"/a": "b"},
        {"a/b/c": ""},
    ],
    "metadata.annotations": [{"a b": "c"}, {"a": 1}, {"a": True}, {"A/b": "c"}, "a"],
    "metadata.finalizers": [["a b"], ["mine"]],
    "metadata.ownerReferences": [[{}], [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": ""}]],
    "metadata.creationTimestamp": ["yesterday"],
    "metadata.resourceVersion": ["5"],
    "metadata.label": [{"a": "b"}],
    "metadata": [None, "web"],
    "apiVersion": [None, "v2", "apps/v1beta1"],
    "kind": [None, "Gadget", "configmap"],
    "spec": [None, [], {"a": "b"}],
}
POD: Values = {
    "spec.containers": [None, [], {}, [container(SLEEP)] * 2, [None]],
    "spec.initContainers.0.name": ["main"],
    "spec.initContainers.0.livenessProbe": [{"exec": EXEC}],
    "spec.initContainers.0.lifecycle": [{"preStop": {"exec": EXEC}}],
    "spec.initContainers.0.restartPolicy": ["Always", "OnFailure", "Never", "Sometimes"],
    "spec.restartPolicy": ["Sometimes", "never", "", True],
    "spec.dnsPolicy": ["Cluster", "None"],
    "spec.terminationGracePeriodSeconds": [-1, "30s", 1.5],
    "spec.activeDeadlineSeconds": [0, -1],
    "spec.serviceAccountName": ["nobody", "A"],
    "spec.nodeName": ["A b"],
    "spec.nodeSelector": ["lab", {"a b": "c"}, {"a": "b c"}, {"gpu": True}],
    "spec.hostname": ["A", "a.b"],
    "spec.subdomain": ["A"],
    "spec.priorityClassName": ["nobodys"],
    "spec.priority": [5],
    "spec.runtimeClassName": ["A"],
    "spec.schedulingGates": [[{"name": "a b"}], [{"name": "a"}, {"name": "a"}]],
    "spec.readinessGates": [[{"conditionType": "a b"}]],
    "spec.imagePullSecrets": ["mine", [{}]],
    "spec.hostAliases": [[{"ip": "here", "hostnames": ["a"]}], [{"ip": "10.0.0.1", "hostnames": ["A_"]}]],
    "spec.hostNetwork": ["true"],
    "spec.os": [{"name": "solaris"}],
    "spec.replicas": [1],
    "spec.container": [[]],
    "spec.tolerations": [
        *([{"operator": "Like"}], [{"key": "a", "operator": "Exists", "value": "b"}], [{"key": "a b"}]),
        *([{"operator": "Exists", "effect": "Run"}], [{"operator": "Equal"}]),
        [{"key": "a", "operator": "Exists", "tolerationSeconds": 1}],
    ],
    "spec.affinity": [
        {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}},
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        {"podAntiAffinity": []},
    ],
    "spec.topologySpreadConstraints": [
        [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}],
        [{"maxSkew": 1, "topologyKey": "", "whenUnsatisfiable": "Never"}],
        [{}],
    ],
    "spec.securityContext": [{"runAsUser": -1}, {"fsGroup": "x"}, {"runAsNonRoot": "true"}, {"privileged": True}],
    "spec.volumes": [
        None,
        {},
        [{"name": "v"}] * 2,
        [{"name": "V"}, {"name": "v"}],
        [{"emptyDir": {}}, {"name": "v"}],
        [None],
    ],
    "spec.volumes.0": [{"name": "v", "configMap": {}}],
    "spec.volumes.1": [{"name": "w"} | source for source in VOLUME_SOURCES],
    "spec.volumes.1.configMap.defaultMode": [0o1000, -1, "0644"],
    "spec.volumes.1.configMap.items": [
        *([{"key": "k"}], [{"path": "p"}], [{"key": "k", "path": ""}], [{"key": "k", "path": "../x"}], ["k"]),
        *([{"key": "k", "path": "/x"}], [{"key": "k", "path": "..x"}], [{"key": "k", "path": "p", "mode": 0o1000}]),
    ],
}
TEMPLATE = "spec.template"
DEPLOYMENT: Values = {
    "metadata.name": ["Web", "a" * 254],
    "metadata.labels": [{"a": "b c"}],
    "spec": [None],
    "spec.selector": [
        *(None, {}, {"app": "web"}, {"matchLabels": {"app": "other"}}, {"matchLabels": {"app": "w b"}}, "app=web"),
        *({"matchExpressions": [IN]}, {"matchExpressions": [IN | {"operator": "Like"}]}, {"matchLabels": ["app"]}),
        *({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["web"]}]}, {"matchExpressions": [{}]}),
    ],
    "spec.replicas": [-1, "3", 1.5, 2**31, True, "three"],
    "spec.replica": [3],
    "spec.paused": ["yes"],
    "spec.minReadySeconds": [-1, 600, 700],
    "spec.progressDeadlineSeconds": [-1, 0],
    "spec.revisionHistoryLimit": [-1],
    "spec.strategy": [
        *("Recreate", {"type": "Rolling"}, {"type": "rollingUpdate"}, {"maxSurge": 1}, {"type": ""}),
        *(
            {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
            {"type": "Rolling", "rollingUpdate": {"maxSurge": 1}},
        ),
        *({"rollingUpdate": {}}, {"type": "OnDelete"}),
    ],
    "spec.strategy.rollingUpdate": [
        *({"maxSurge": 0, "maxUnavailable": 0}, {"maxSurge": "0%", "maxUnavailable": "0%"}, {"maxSurge": -1}),
        *({"maxSurge": "25"}, {"maxSurge": "some"}, {"maxSurge": 1.5}, {"maxSurge": "-25%"}, {"maxSurge": "200%"}),
        *({"maxUnavailable": "110%"}, {"maxUnavailable": -1}, {"maxSurge": "0%", "maxUnavailable": 0}, {"surge": 1}),
        {"maxSurge": 0, "maxUnavailable": "1.5%"},
    ],
    TEMPLATE: [None, {}, "web"],
    f"{TEMPLATE}.metadata": [None, {"labels": {"app": "other"}}, {"labels": {"app": "web", "a": "b c"}}, {"label": {}}],
    f"{TEMPLATE}.metadata.annotations": [{"a b": ""}, {"port": 80}],
    f"{TEMPLATE}.metadata.name": ["Web"],
    f"{TEMPLATE}.spec.restartPolicy": ["Never", "OnFailure", "always"],
    f"{TEMPLATE}.spec.activeDeadlineSeconds": [5],
    f"{TEMPLATE}.spec.containers": [None, [], [{"name": "a"}], [{"image": "greeter:dev"}], "web"],
    f"{TEMPLATE}.spec.containers.0.readinessProbe": [{"grpc": GRPC, "httpGet": {"port": 1}}],
    f"{TEMPLATE}.spec.containers.0.volumeMounts": [[{"name": "none", "mountPath": "/d"}]],
    f"{TEMPLATE}.spec.containers.0.resources.limits": [{"cpu": "lots"}],
    f"{TEMPLATE}.spec.volumes": [[{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../x"}]}}]],
    f"{TEMPLATE}.spec.serviceAccountName": ["nobody"],
    f"{TEMPLATE}.spec.terminationGracePeriodSeconds": [-1],
}
JOB: Values = {
    "metadata.name": ["Web", "a" * 64],
    "spec": [None, {}],
    "spec.completions": [-1, "1"],
    "spec.parallelism": [-1, 200000],
    "spec.backoffLimit": [-1],
    "spec.activeDeadlineSeconds": [-1, 0],
    "spec.ttlSecondsAfterFinished": [-1],
    "spec.completionMode": ["Odd"],
    "spec.selector": [{"matchLabels": {"app": "web"}}],
    "spec.manualSelector": [True],
    "spec.podReplacementPolicy": ["Never"],
    "spec.backoffLimitPerIndex": [1],
    "spec.maxFailedIndexes": [1],
    "spec.managedBy": ["me", "example.com/me"],
    "spec.suspend": ["yes"],
    "spec.schedule": ["* * * * *"],
    "spec.replicas": [1],
    "spec.podFailurePolicy": [{"rules": [{"action": "Retry", "onExitCodes": {"operator": "In", "values": [1]}}]}],
    "spec.successPolicy": [{"rules": [{"succeededCount": 1}]}],
    TEMPLATE: [None],
    f"{TEMPLATE}.metadata.labels": [{"a": "b c"}, {"job-name": "other"}],
    f"{TEMPLATE}.spec.restartPolicy": [None, "Always", "Sometimes"],
    f"{TEMPLATE}.spec.containers": [[], [{"name": "a"}]],
}
SERVICE: Values = {
    "metadata.name": ["1st", "a.b", "Web", LONG],
    "spec": [
        *(None, {}, {"type": "ExternalName"}, {"type": "ExternalName", "externalName": "a.b", "clusterIP": "None"}),
        *({"type": kind, "clusterIP": "None", "ports": [{"port": 80}]} for kind in ("NodePort", "LoadBalancer")),
        *({"type": "ExternalName", "externalName": name} for name in ("A_b", "a.b.", "a.b:80", "10.0.0.1")),
        {"clusterIP": "None"},
    ],
    "spec.type": ["Odd", "clusterIP", "", "NodePort", "LoadBalancer"],
    "spec.selector": [
        "app=web",
        ["app"],
        {"a b": "c"},
        {"app": "w b"},
        {"app": 1},
        {"matchLabels": {"app": "web"}},
        {},
    ],
    "spec.port": [3],
    "spec.ports": [
        *(None, [], 80, [80], [{}], [{"targetPort": 8000}], [{"port": 1}, {"port": 2}]),
        *([{"name": "n", "port": i} for i in (1, 2)], [{"name": n, "port": 1} for n in "ab"]),
        *([{"port": 80, "containerPort": 80}]),
        [{"name": "a", "port": 1, "protocol": "TCP"}, {"name": "b", "port": 1, "protocol": "UDP"}],
    ],
    "spec.ports.0.port": [None, 0, -1, 70000, "80", "grpc", 1.5],
    "spec.ports.0.targetPort": [0, -1, 70000, "80", "GRPC", "a_b", "longer-than-15-characters", "", 1.5, True],
    "spec.ports.0.name": ["", "GRPC", "a_b", "a.b", LONG, 80],
    "spec.ports.0.protocol": ["tcp", "GRPC", ""],
    "spec.ports.0.nodePort": [30000, 80, 70000],
    "spec.ports.0.appProtocol": ["a b", "grpc", "kubernetes.io/h2c"],
    "spec.clusterIP": ["nowhere", "none", "8.8.8.8", "None", "127.0.0.256", "fd00::1"],
    "spec.clusterIPs": [["None"], ["nowhere"], "None"],
    "spec.externalName": ["example.com", "A_b"],
    "spec.externalIPs": [["here"], ["127.0.0.1"], "10.1.1.1"],
    "spec.externalTrafficPolicy": ["Local", "local"],
    "spec.internalTrafficPolicy": ["Local", "local"],
    "spec.trafficDistribution": ["PreferNear", "PreferClose"],
    "spec.sessionAffinity": ["Client", "true", True],
    "spec.sessionAffinityConfig": [{"clientIP": {"timeoutSeconds": 1}}],
    "spec.ipFamilies": [["IPv5"], ["IPv4", "IPv4"], "IPv4"],
    "spec.ipFamilyPolicy": ["Dual"],
    "spec.loadBalancerIP": ["10.1.1.1"],
    "spec.loadBalancerClass": ["a"],
    "spec.loadBalancerSourceRanges": [["10.0.0.0/8"]],
    "spec.healthCheckNodePort": [30000],
    "spec.allocateLoadBalancerNodePorts": [False],
    "spec.publishNotReadyAddresses": ["yes"],
    "spec.replicas": [1],
}
CONFIGMAP: Values = {
    "data": [
        *({"a/b": ""}, {"a b": ""}, {"": ""}, {".": ""}, {"..": ""}, {"..a": ""}, {"a..b": ""}, {"a" * 254: ""}),
        *({"port": 80}, {"debug": True}, {"list": ["a"]}, {"nested": {"a": "b"}}, {"none": None}, "a=b", ["a"]),
        {"big": BIG},
    ],
    "binaryData": [{"a": "YQ=="}, {"b": "not base64"}, {"b": "YQ"}, {"a/b": ""}],
    "immutable": ["yes"],
    "stringData": [{"a": "b"}],
    "spec": [{}],
}
TLS = "kubernetes.io/tls"
DOCKER = "kubernetes.io/dockerconfigjson"
SECRET: Values = {
    "data": [
        *({"a": "not base64"}, {"a": "YQ"}, {"a": 1}, {"a": "YQ==\n"}, {"a/b": ""}, {"..": ""}, {"a": None}, ["a"]),
        {"big": BIG + "xxxx"},
    ],
    "stringData": [{"a": 1}, {"a": True}, {"a/b": ""}, {"..": ""}],
    "type": [
        TLS,
        DOCKER,
        "kubernetes.io/basic-auth",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/service-account-token",
        "",
    ],
    "immutable": ["yes"],
    "metadata.name": ["Web"],
}
OTHER: dict[str, Values] = {
    "namespaces": {"metadata.name": ["a.b", "Web", LONG]},
    "ingresses": {
        "spec": [None, {}],
        "spec.rules.0.http.paths": [[]],
        "spec.rules.0.host": ["10.0.0.1", "a.*.example.com"],
        "spec.rules.0.http.paths.0.path": ["web", "/a//b"],
        "spec.rules.0.http.paths.0.pathType": ["Regex", None],
        "spec.rules.0.http.paths.0.backend": [
            *({}, {"service": {"name": "web"}}, {"service": {"name": "web", "port": {"name": "a", "number": 1}}}),
            {"serviceName": "web", "servicePort": 80},
        ],
        "spec.rules.0.http.paths.0.backend.service.name": ["", "A"],
        "spec.rules.0.http.paths.0.backend.service.port": [{"number": 70000}, {"name": "A"}, 80],
    },
}
# What is done to an object that is there.
CHANGES: dict[str, Values] = {
    "pods": {
        "metadata.name": ["other"],
        "metadata.labels": [{"a": "b c"}],
        "metadata.uid": ["other"],
        "metadata.resourceVersion": ["1", "x"],
        "spec.containers": [[], [container(SLEEP), container(SLEEP, "more")]],
        "spec.containers.0.image": ["", "greeter:other", " x"],
        "spec.containers.0.name": ["other"],
        "spec.containers.0.command": [["python3"]],
        "spec.containers.0.env": [[{"name": "A", "value": "1"}]],
        "spec.containers.0.resources.limits": [{"cpu": "1"}],
        "spec.restartPolicy": ["Never"],
        "spec.terminationGracePeriodSeconds": [5],
        "spec.activeDeadlineSeconds": [5, 0],
        "spec.tolerations": [[], [{"key": "a", "operator": "Exists"}]],
        "spec.tolerations.0.operator": [None],
        "spec.tolerations.0.tolerationSeconds": [5],
        "spec.nodeName": ["other"],
        "spec.schedulingGates": [[{"name": "example.com/more"}], None],
    },
    "deployments": {
        "metadata.name": ["other"],
        "metadata.uid": ["other"],
        "metadata.namespace": ["elsewhere"],
        "metadata.resourceVersion": ["1", "x"],
        "kind": ["ReplicaSet"],
        "spec.selector": [None, {"matchLabels": {"app": "other"}}, {"matchLabels": {"app": "web", "b": "c"}}],
        "spec.replicas": [-1, "3"],
        f"{TEMPLATE}.metadata.labels": [{"app": "other"}, None],
        "spec.strategy": [{"type": "Recreate"}, {"type": "Rolling"}],
    },
    "jobs": {
        "spec.completions": [2, -1],
        "spec.parallelism": [2, -1],
        "spec.completionMode": ["Indexed"],
        "spec.selector": [None, {"matchLabels": {"a": "b"}}],
        "spec.backoffLimit": [1],
        f"{TEMPLATE}.spec.restartPolicy": ["OnFailure", "Always"],
        f"{TEMPLATE}.spec.containers.0.image": ["greeter:other"],
        f"{TEMPLATE}.metadata.labels": [{"app": "web"}],
        f"{TEMPLATE}.metadata.annotations": [{"app": "web"}],
        f"{TEMPLATE}.metadata": [None],
        f"{TEMPLATE}.spec.nodeSelector": [{"app": "web"}],
    },
    "services": {
        "spec.clusterIP": ["None", "nowhere", "", None],
        "spec.clusterIPs": [["None"]],
        "spec.ports": [[], None, [{"port": 9000}]],
        "spec.type": ["ExternalName", "NodePort", "Odd"],
        "spec.ipFamilies": [["IPv6"]],
        "spec.selector": [None, {"a": "b c"}],
        "metadata.name": ["other"],
    },
    "configmaps": {
        "data": [{"a": "c"}, None, {"a/b": ""}],
        "immutable": [None, False],
        "binaryData": [{"b": "YQ=="}],
        "metadata.labels": [{"a": "b"}],
    },
    "secrets": {
        "data": [{"a": "Yg=="}],
        "stringData": [{"a": "b"}],
        "type": ["mine", TLS],
        "immutable": [False],
    },
}


def _mistakes(plural: str, values: Values, below: str = "") -> Iterable[Mistake]:
    return (Mistake(plural, below + path, value) for path, given in values.items() for value in given)


CREATED = [
    *_mistakes("pods", CONTAINER, "spec.containers.0."),
    *_mistakes("configmaps", METADATA),
    *_mistakes("pods", POD),
    *_mistakes("deployments", DEPLOYMENT),
    *_mistakes("jobs", JOB),
    *_mistakes("services", SERVICE),
    *_mistakes("configmaps", CONFIGMAP),
    *_mistakes("secrets", SECRET),
    *(mistake for plural, values in OTHER.items() for mistake in _mistakes(plural, values)),
]
CHANGED = {plural: [*_mistakes(plural, values)] for plural, values in CHANGES.items()}
