"""What a ConfigMap may hold, and what is said of one that is wrong: where, what, and how to mend it."""

import pytest

from client_xds.config import ConfigError, parsed
from client_xds.types import Type
from testing.client_xds import leading_to

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def cluster(fields: str = "") -> str:
    return f'{{"@type": {CLUSTER}, name: blue{fields and ", "}{fields}}}'


def test_a_value_has_any_number_of_resources_of_any_type() -> None:
    routes, blue = leading_to("blue")
    assignment = """
"@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
cluster_name: blue
"""
    found = parsed({"a": f"{routes}---{blue}---\n---\n# no more", "b": assignment, "c": "", "d": "# nothing\n"})
    assert set(found) == {
        (Type.ROUTES, "greeter-server"),
        (Type.CLUSTER, "blue"),
        (Type.ENDPOINTS, "blue"),
    }
    assert parsed({}) == {}


def test_a_resource_is_what_envoys_files_say_with_types_however_deep() -> None:
    _, text = leading_to("blue")
    [blue] = parsed({"a": text}).values()
    [options] = blue.typed_extension_protocol_options.values()  # type: ignore[attr-defined]
    assert options.TypeName() == "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    [camel] = parsed({"a": cluster("lbPolicy: LEAST_REQUEST, connectTimeout: 0.5s")}).values()
    [snake] = parsed({"a": cluster("lb_policy: LEAST_REQUEST, connect_timeout: 0.500s")}).values()
    assert camel == snake


KINDS = "write one of type.googleapis.com/envoy.config.cluster.v3.Cluster, type.googleapis.com/envoy.config.endpoint."
SEE = "; see envoy.config.cluster.v3.Cluster in Envoy's reference"


@pytest.mark.parametrize(
    ("text", "fact", "remedy"),
    [
        # no YAML
        ("a: [", "policy.yaml is no YAML: ", "line 1, column 5"),
        ("a: b: c", "policy.yaml is no YAML: mapping values are not allowed here", "line 1"),
        ("\ta: 1", "policy.yaml is no YAML: ", "cannot start any token"),
        ("a: \0", "policy.yaml is no YAML: ", "special characters are not allowed"),
        ("!!python/object:os.system {}", "policy.yaml is no YAML: ", "could not determine a constructor"),
        ("a: *b", "policy.yaml is no YAML: found undefined alias", "'b'"),
        ("[" * 10_000 + "]" * 10_000, "policy.yaml is nested too deep", "; write it flatter"),
        (cluster("metadata: &a {b: *a}"), "policy.yaml is nested too deep", "; write it flatter"),
        ("? {a: b}\n: c", "policy.yaml is no YAML: while constructing a mapping", "found unhashable key"),
        # no resource
        ("just words", "policy.yaml: a document is no mapping; ", '"@type": type.googleapis.com/envoy'),
        ("[1, 2]", "policy.yaml: a document is no mapping; ", '"@type": type.googleapis.com/envoy'),
        ("1", "policy.yaml: a document is no mapping; ", '"@type": type.googleapis.com/envoy'),
        ("false", "policy.yaml: a document is no mapping; ", '"@type": type.googleapis.com/envoy'),
        ("name: blue", "policy.yaml: a document's @type is None; ", KINDS),
        ('"@type": 1', "policy.yaml: a document's @type is 1; ", KINDS),
        ('"@type": [a]', "policy.yaml: a document's @type is ['a']; ", KINDS),
        ('"@type": {a: b}', "policy.yaml: a document's @type is {'a': 'b'}; ", KINDS),
        ('"@type": envoy.config.cluster.v3.Cluster', "'envoy.config.cluster.v3.Cluster'; ", KINDS),
        (
            '"@type": type.googleapis.com/envoy.config.core.v3.Node',
            "@type is 'type.googleapis.com/envoy.config.co",
            KINDS,
        ),
        ('"@type": type.googleapis.com/envoy.config.cluster.v2.Cluster', "Cluster'; ", KINDS),
        # without a name, or twice
        (
            f'"@type": {CLUSTER}',
            "policy.yaml: a Cluster has no name; ",
            "give it that of a Service, or one of your own",
        ),
        (cluster().replace("blue", '""'), "policy.yaml: a Cluster has no name; ", "give it"),
        (
            '{"@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, name: a}',
            'has no field named "name"',
            "see envoy.config.endpoint.v3.ClusterLoadAssignment in Envoy's reference",
        ),
        (f"{cluster()}\n---\n{cluster()}", "policy.yaml: Cluster 'blue' is there twice", "; leave one out"),
        # with a field that is wrong
        (cluster("lb_polic: MAGLEV"), 'no field named "lb_polic"', SEE),
        (cluster("lb_policy: FAIR"), "Invalid enum value FAIR", SEE),
        (cluster("connect_timeout: soon"), "soon", SEE),
        (cluster("connect_timeout: 1"), "policy.yaml: ", SEE),
        (cluster("connect_timeout: 2026-01-01"), "policy.yaml: ", SEE),
        (cluster("name: 7").replace("name: blue, ", ""), "policy.yaml: ", SEE),
        (cluster("name: 2026-01-01").replace("name: blue, ", ""), "policy.yaml: ", SEE),
        (cluster("name: !!binary Ymx1ZQ==").replace("name: blue, ", ""), "policy.yaml: ", SEE),
        (cluster("health_checks: {}"), "policy.yaml: ", SEE),
        (cluster("eds_cluster_config: [a]"), "policy.yaml: ", SEE),
        (cluster("eds_cluster_config: x"), "policy.yaml: ", SEE),
        (cluster("metadata: {1: 2}"), "policy.yaml: ", SEE),
        (cluster("? [a]\n: b"), "policy.yaml", ""),
        (cluster("1: 2"), "policy.yaml: ", SEE),
        (cluster("outlier_detection: {consecutive_5xx: -1}"), "policy.yaml: ", SEE),
        (cluster("outlier_detection: {consecutive_5xx: 1.5}"), "policy.yaml: ", SEE),
        (cluster("type: EDS, cluster_type: {name: a}"), "policy.yaml: ", SEE),  # two of a oneof
        # with an extension that is none
        (cluster('metadata: {typed_filter_metadata: {a: {"@type": envoy.a.B}}}'), "policy.yaml: ", SEE),
        (cluster('metadata: {typed_filter_metadata: {a: {"@type": type.googleapis.com/envoy.a.B}}}'), "envoy.a.B", SEE),
        (cluster('metadata: {typed_filter_metadata: {a: {"@type": "type.googleapis.com/envoy..B"}}}'), "envoy..B", SEE),
        (cluster('metadata: {typed_filter_metadata: {a: {"@type": 7}}}'), "policy.yaml: ", SEE),
        (cluster("metadata: {typed_filter_metadata: {a: {b: c}}}"), "@type", SEE),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place_and_a_remedy(text: str, fact: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed({"good": f'{{"@type": {ROUTES}, name: good}}', "policy.yaml": text})
    said = str(caught.value)
    assert fact in said
    assert remedy in said
    assert said.startswith("policy.yaml")
    assert "\n" not in said
    assert len(said) < 2000  # it names the fields that there are


def test_a_name_that_two_values_have_is_there_twice() -> None:
    with pytest.raises(ConfigError, match="b: Cluster 'blue' is there twice; leave one out"):
        parsed({"a": cluster(), "b": cluster()})
