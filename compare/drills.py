"""The drills of expectations.toml: what is done to a demo under calls, and what it promises meanwhile."""

from typing import Any

from catalogue import Demo
from compare.errors import CompareError
from compare.namespace import CLIENT, COMPONENT, SERVER
from helloworld import durations

# By what is done: the keys that a drill must have, and those that it may: what is promised; nothing is without them.
KEYS = {
    "scale_in": ((), ("failed_attempts",)),
    "rolling_restart": ((), ("failed_attempts",)),
    "away": (("component", "away"), ("failed_attempts", "new_pods_within", "dns_cached")),
}
DURATIONS = ("away", "new_pods_within")


def check(demo: Demo) -> None:
    """Raises CompareError for a drill that can't be made as it is written."""
    drills = demo.expectations["drills"]
    for name, drill in drills.items() if isinstance(drills, dict) else [("NAME", drills)]:
        if wrong := _wrong(demo, drill):
            raise CompareError(f"{demo.name.partition('/')[0]}/expectations.toml: drills.{name}{wrong}")


def _wrong(demo: Demo, drill: Any) -> str:
    if not isinstance(drill, dict):
        return f' is {drill}, no table; write {{do = "scale_in", failed_attempts = 0}}'
    do = drill.get("do")
    if not isinstance(do, str) or do not in KEYS:
        return f".do is '{do}', which is no drill; write {', '.join(KEYS)}"
    must, may = KEYS[do]
    if lacking := [key for key in must if key not in drill]:
        return f" lacks {', '.join(lacking)}; see compare/README.md"
    for key, value in drill.items():
        if key not in ("do", *must, *may):
            return f".{key} is nothing that {do} knows; write {', '.join((*must, *may))}"
        if key == "failed_attempts" and not (type(value) is int and value >= 0):
            return f".{key} is '{value}', no number of attempts; write 0 say"
        if key == "dns_cached" and not isinstance(value, bool):
            return f".{key} is '{value}'; write true or false"
        if key in DURATIONS:
            try:
                durations.seconds(str(value))
            except ValueError as error:
                return f".{key} is '{value}', {error}"
    there = [
        obj["metadata"].get("labels", {}).get(COMPONENT)
        for obj in (demo.objects() if do == "away" else ())
        if obj["kind"] == "Deployment" and obj["metadata"]["name"] not in (SERVER, CLIENT)
    ]
    if do == "away" and drill["component"] not in there:
        known = ", ".join(sorted(set(filter(None, there)))) or "none"
        return (
            f".component is '{drill['component']}'; name one that the manifests have beside servers and client: {known}"
        )
    return ""
