"""A run: all strategies set up, measured in stages, and deleted again, whatever happens."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial

from lightkube import ApiError

from catalogue import CatalogueError, Demo
from compare import trial, verdict, words
from compare.api import Api
from compare.errors import ClusterError, CompareError
from compare.namespace import Namespace
from compare.verdict import Row

Say = Callable[[str, str], None]  # of a strategy, what it is at; "" when a stage is over


@dataclass
class Subject:
    """A strategy that is being measured."""

    namespace: Namespace
    row: Row

    @property
    def demo(self) -> Demo:
        return self.row.demo


# Strategies at a time, for each core of this machine: with more, two cores are so busy that probes fail and pods are
# taken for dead. The others' pods wait, at next to no cost.
PER_CORE = 2

Step = Callable[[Subject], Coroutine[None, None, None]]


class Run:
    """Latencies are measured one strategy at a time; what is counted, side by side, as many as the machine can bear."""

    def __init__(self, api: Api, demos: Sequence[Demo], *, dns_cache: float, patience: float, say: Say) -> None:
        self._subjects = [Subject(Namespace(api, f"compare-{demo.name}", patience), Row(demo)) for demo in demos]
        self._dns_cache = dns_cache
        self._say = say
        self._room = asyncio.Semaphore(PER_CORE * (os.cpu_count() or 1))

    async def __call__(self, *, drills: bool) -> list[Row]:
        """Raises ClusterError where the cluster can't be measured; what is one strategy's alone is in its row."""
        try:
            await self._together(partial(self._stage, "is applied", self._apply))
            for subject in self._subjects:
                await self._stage("answers one channel", self._spread, subject)
            await self._together(partial(self._stage, "is scaled out under calls", self._scale_out))
            if drills:
                await self._together(self._drills)
        finally:
            await self._delete()
        return [subject.row for subject in self._subjects]

    async def _together(self, step: Step) -> None:
        """All strategies, without an order."""
        try:
            async with asyncio.TaskGroup() as group:
                for subject in self._subjects:
                    group.create_task(step(subject))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _stage(self, what: str, step: Step, subject: Subject) -> None:
        """One stage of one strategy; what goes wrong ends its measurement, not that of the others."""
        async with self._room:
            if not (subject.row.error or subject.row.lacks):
                self._say(subject.demo.name, what)
                try:
                    await step(subject)
                except ClusterError:
                    raise
                except (CatalogueError, CompareError) as error:
                    subject.row.error = str(error)
                except ApiError as error:
                    subject.row.error = f"the cluster refuses: {error.status.message}"
        self._say(subject.demo.name, "")

    async def _apply(self, subject: Subject) -> None:
        subject.row.lacks = await subject.namespace.lacks(subject.demo)
        if subject.row.lacks:
            return
        await subject.namespace.create()
        async with subject.namespace.watched():
            await subject.namespace.apply(subject.demo)

    async def _spread(self, subject: Subject) -> None:
        async with subject.namespace.watched():
            subject.row.spread = await trial.spread(subject.demo, subject.namespace)
        subject.row.missed += verdict.spread(subject.demo, subject.row.spread)

    async def _scale_out(self, subject: Subject) -> None:
        async with subject.namespace.watched():
            subject.row.scale_out = await trial.scale_out(
                subject.demo, subject.namespace, self._dns_cache, partial(self._say, subject.demo.name)
            )
        subject.row.missed += verdict.scale_out(subject.demo, subject.row.scale_out)

    async def _drills(self, subject: Subject) -> None:
        """One after the other; no strategy waits for another's, some of which outlast a DNS cache."""
        for name in subject.demo.expectations["drills"]:
            await self._stage(words.drill(name), partial(self._drill, name), subject)

    async def _drill(self, name: str, subject: Subject) -> None:
        async with subject.namespace.watched():
            subject.row.drills[name] = await trial.drill(
                subject.demo, subject.namespace, name, self._dns_cache, partial(self._say, subject.demo.name)
            )
        subject.row.missed += verdict.drill(subject.demo, name, subject.row.drills[name])

    async def _delete(self) -> None:
        for subject in self._subjects:
            self._say(subject.demo.name, "is deleted")
        errors = await asyncio.gather(*(s.namespace.delete() for s in self._subjects), return_exceptions=True)
        left = [s.namespace.name for s, error in zip(self._subjects, errors, strict=True) if error]
        for error in filter(None, errors):
            if isinstance(error, (CompareError, ApiError)):
                said = error if isinstance(error, CompareError) else f"the cluster refuses: {error.status.message}"
                raise ClusterError(f"{said}; then: kubectl delete namespace {' '.join(left)}") from error
            raise error
