"""What a cluster answers to each of the mistakes.

    KUBECONFIG=… python -m lab.conformance.answers     # asks that cluster, and writes answers.json

An answer is its code, its reason, and each field that is refused with the reason of that, or that is warned of. The
words are each server's own affair.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from lightkube import ApiError
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError

from lab.conformance.api import Api, Object
from lab.conformance.mistakes import CHANGED, CREATED, EXISTING, GOOD, Mistake
from lab.conformance.states import has_default

ANSWERS = Path(__file__).with_name("answers.json")
ASK = {"dryRun": "All", "fieldValidation": "Strict"}  # as kubectl asks

Answers = dict[str, str]  # by the name of the mistake


async def to_created(api: Api, mistakes: list[Mistake]) -> Answers:
    """What is answered to who creates an object with one of the mistakes."""
    return {m.name: await _answer(api, "POST", api.path(m.plural), m.made_in(GOOD[m.plural]())) for m in mistakes}


async def to_changed(api: Api, plural: str) -> Answers:
    """What is answered to who makes one of the mistakes in an object that is there: one is created for that."""
    made = await api.create(plural, EXISTING[plural]())
    del made["metadata"]["resourceVersion"]  # whoever else has changed it meanwhile
    path, found = api.path(plural, "web"), {}
    for mistake in CHANGED[plural]:
        found[f"change {mistake.name}"] = await _answer(api, "PUT", path, mistake.made_in(json.loads(json.dumps(made))))
    return found


async def _answer(api: Api, method: str, path: str, obj: Object) -> str:
    try:
        response = await api.request(method, path, obj, params=ASK)
        warned = [
            text for text in response.headers.get_list("Warning") if not text.startswith('299 - "the lab ignores ')
        ]
        of = {text.removeprefix('299 - "').split()[0].rstrip(":") for text in warned}
        return str(response.status_code) + (f" with a warning of {', '.join(sorted(of))}" if of else "")
    except ApiError as error:
        status = error.status
    causes = (status.details and status.details.causes) or []
    fields = sorted({f"{cause.field} {cause.reason}" for cause in causes if cause.field})
    return f"{status.code} {status.reason}" + (f": {', '.join(fields)}" if fields else "")


async def version(api: Api) -> str:
    """As `v1.34.4`."""
    found: str = (await api.request("GET", "/version")).json()["gitVersion"]
    return found


async def record(root: Api, own: Api) -> Object:
    """All of a cluster: `root` is the namespace default, `own` a new one."""
    await own.until("serviceaccounts", has_default, "the namespace has its service account")
    answers = await to_created(root, CREATED)
    for plural in CHANGED:
        answers |= await to_changed(own, plural)
    return {"version": await version(root), "answers": answers}


async def main() -> int:
    """Returns the exit status."""
    try:
        config = KubeConfig.from_file(os.environ.get("KUBECONFIG", "")).get()
    except ConfigError as error:
        print(f"answers: {error}; export the KUBECONFIG of a Kubernetes that is not the lab", file=sys.stderr)
        return 2
    assert config
    root = Api(config, "default")
    async with root.http:
        if (await version(root)).endswith("-lab"):
            print("answers: KUBECONFIG names a lab, which is held against these; export a cluster's", file=sys.stderr)
            return 2
        made = await root.create("namespaces", {"metadata": {"generateName": "mistakes-"}})
        own = Api(config, made["metadata"]["name"])
        async with own.http:
            try:
                found = await record(root, own)
            finally:
                await root.delete("namespaces", own.namespace)
    ANSWERS.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{ANSWERS}: {len(found['answers'])} answers of Kubernetes {found['version']}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
