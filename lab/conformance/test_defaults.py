"""What the API fills in where a manifest says nothing: everything else relies on it being there."""

from lab.conformance.api import Api, Object
from lab.conformance.manifests import IMAGE, configmap

LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "main", "image": IMAGE}]}}
DRY: dict[str, str] = {"dryRun": "All"}


def including(obj: Object, wanted: Object) -> Object:
    """The fields of the object that are wanted."""
    return {key: obj.get(key) for key in wanted}


async def test_a_pod_gets_kubernetes_defaults(root: Api) -> None:
    made = await root.create("pods", {"metadata": {"name": "web"}, "spec": TEMPLATE["spec"]}, **DRY)
    spec = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "enableServiceLinks": True,
        "securityContext": {},
    }
    container = {
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": {},
    }
    assert including(made["spec"], spec) == spec
    assert including(made["spec"]["containers"][0], container) == container
    assert including(made["status"], {"phase": "", "qosClass": ""}) == {"phase": "Pending", "qosClass": "BestEffort"}


async def test_only_an_init_container_has_a_restart_policy_which_is_always(root: Api) -> None:
    policies = ["Always", "Never", "Sometimes"]
    main, init = (
        [{"name": f"{kind}{i}", "image": IMAGE, "restartPolicy": policy} for i, policy in enumerate(policies)]
        for kind in "ab"
    )
    made = await root.create(
        "pods", {"metadata": {"name": "web"}, "spec": {"containers": main, "initContainers": init}}, **DRY
    )
    assert [c.get("restartPolicy") for c in made["spec"]["containers"]] == [None, None, None]
    assert [c.get("restartPolicy") for c in made["spec"]["initContainers"]] == ["Always", None, None]


async def test_probes_and_ports_get_kubernetes_defaults(root: Api) -> None:
    probe = {"httpGet": {"port": 80}}
    ports = [{"containerPort": 80}]
    container = {"name": "main", "image": "example.com/web", "readinessProbe": probe, "ports": ports}
    made = await root.create("pods", {"metadata": {"name": "web"}, "spec": {"containers": [container]}}, **DRY)
    given = made["spec"]["containers"][0]
    assert given["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert given["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert given["imagePullPolicy"] == "Always"  # no tag means :latest


async def test_volumes_get_kubernetes_defaults(root: Api) -> None:
    sources: list[Object] = [
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "s", "secret": {"secretName": "s"}},
        {"name": "d", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    spec = TEMPLATE["spec"] | {"volumes": sources}  # type: ignore[operator]
    made = await root.create("pods", {"metadata": {"name": "web"}, "spec": spec}, **DRY)
    volumes = {volume["name"]: volume for volume in made["spec"]["volumes"]}
    assert volumes["c"]["configMap"]["defaultMode"] == 0o644
    assert volumes["s"]["secret"]["defaultMode"] == 0o644
    assert volumes["d"]["downwardAPI"]["items"][0]["fieldRef"]["apiVersion"] == "v1"


async def test_a_deployment_gets_kubernetes_defaults(root: Api) -> None:
    own = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    made = await root.create("deployments", {"metadata": {"name": "web"}, "spec": own}, **DRY)
    spec = {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }
    assert including(made["spec"], spec) == spec
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"


async def test_a_job_gets_kubernetes_defaults(root: Api) -> None:
    template = {"spec": TEMPLATE["spec"] | {"restartPolicy": "Never"}}  # type: ignore[operator]
    made = await root.create("jobs", {"metadata": {"name": "web"}, "spec": {"template": template}}, **DRY)
    spec = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": made["metadata"]["uid"]}},
    }
    assert including(made["spec"], spec) == spec
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == "web"


async def test_a_service_gets_kubernetes_defaults_and_an_address(root: Api) -> None:
    made = await root.create("services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}, **DRY)
    spec = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    assert including(made["spec"], spec) == spec
    assert made["spec"]["clusterIPs"] == [made["spec"]["clusterIP"]]


async def test_a_secret_takes_plain_text_and_stores_it_encoded(root: Api) -> None:
    secret = configmap("s", stringData={"password": "äöü"}) | {"kind": "Secret"}
    made = await root.create("secrets", secret, **DRY)
    assert made["data"] == {"password": "w6TDtsO8"}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
