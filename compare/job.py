"""The demo's own client as a Job, which measures once: made from the pod template of its Deployment.

`kubectl get deployment greeter-client -o json | python -m compare.job --count=300 | kubectl create -f -` makes one
that is named `measure`; its flags are the client's.
"""

import json
import signal
import sys
from collections.abc import Sequence

from compare.api import Object


def job(name: str, template: Object, flags: Sequence[str]) -> Object:
    """A Job that runs a pod template once, with these flags after those of its container `client`."""
    spec = template["spec"] | {"restartPolicy": "Never"}
    spec["containers"] = [
        container | {"args": [*container.get("args", []), *flags]} if container["name"] == "client" else container
        for container in spec["containers"]
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template | {"spec": spec}},
    }


def main() -> int:
    for number in (signal.SIGINT, signal.SIGPIPE):  # as of any command in a pipe
        signal.signal(number, signal.SIG_DFL)
    try:
        template = json.load(sys.stdin)["spec"]["template"]
        made = job("measure", template, sys.argv[1:])
    except (ValueError, KeyError, TypeError, AttributeError):
        print("compare.job: no Deployment on stdin; pipe kubectl get deployment NAME -o json into it", file=sys.stderr)
        return 2
    print(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
