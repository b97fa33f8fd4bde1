"""Mistakes in manifests: a cluster answers as it was recorded, and the lab the same but for the named differences."""

import json

import pytest

from lab.conformance.answers import ANSWERS, Answers, main, to_changed, to_created, version
from lab.conformance.api import Api
from lab.conformance.differences import MISTAKES, Cluster
from lab.conformance.mistakes import CHANGED, CREATED, GOOD

RECORDED = json.loads(ANSWERS.read_text())
MINOR = RECORDED["version"].rpartition(".")[0]


def test_each_mistake_has_a_name_of_its_own_and_a_recorded_answer() -> None:
    names = [m.name for m in CREATED] + [f"change {m.name}" for changes in CHANGED.values() for m in changes]
    assert len(names) == len({*names})
    assert {*names} == RECORDED["answers"].keys(), "record them anew: python -m lab.conformance.answers"


def test_most_mistakes_are_refused() -> None:
    assert sum(answer >= "400" for answer in RECORDED["answers"].values()) > 500


@pytest.mark.parametrize("plural", GOOD)
async def test_a_good_object_is_taken(root: Api, plural: str) -> None:
    await root.create(plural, GOOD[plural](), dryRun="All", fieldValidation="Strict")


@pytest.mark.parametrize("plural", GOOD)
async def test_an_object_with_a_mistake_is_answered_as_by_a_cluster(root: Api, cluster: Cluster, plural: str) -> None:
    asked = [mistake for mistake in CREATED if mistake.plural == plural]
    await same_answers(root, cluster, await to_created(root, asked))


@pytest.mark.parametrize("plural", CHANGED)
async def test_a_change_that_is_a_mistake_is_answered_as_by_a_cluster(api: Api, cluster: Cluster, plural: str) -> None:
    await same_answers(api, cluster, await to_changed(api, plural))


async def same_answers(api: Api, cluster: Cluster, found: Answers) -> None:
    """The answers are the recorded ones, and on the lab just those differ that are said to."""
    if not (running := await version(api)).startswith(f"{MINOR}."):
        pytest.skip(f"the answers are those of {MINOR}, and this is {running}")
    for name, mistakes in MISTAKES.items():
        for mistake in found.keys() & mistakes:
            if cluster.differs(name):
                assert found.pop(mistake) != RECORDED["answers"][mistake], f"it differs no more: {mistake}"
    assert found == {mistake: RECORDED["answers"][mistake] for mistake in found}


async def test_recording_without_a_cluster_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert await main() == 2
    assert "/nowhere not found; export the KUBECONFIG of a Kubernetes that is not the lab" in capsys.readouterr().err
