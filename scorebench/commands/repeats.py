"""Claims over fresh master seeds: does a verdict hold, whatever the random numbers?"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from scorebench import stages
from scorebench.claims.base import CORRECTED
from scorebench.core import registry
from scorebench.core.schema import Verdict
from scorebench.store.results import Results
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked


class Repeat(NamedTuple):
    """One claim tested once."""

    claim: str
    seed: int
    verdict: Verdict
    disagreeing: list[str]
    """Numbers that disagree though they should not: of a group that should hold, or a corrected one."""


def repeats(claims: Sequence[str], seeds: Sequence[int], workers: int) -> Iterator[list[Repeat]]:
    """Test every claim with every master seed, `workers` at a time; a list a claim, in order, as soon as it is complete."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        tasks: list[list[Future[Repeat]]] = [[pool.submit(_repeat, claim, seed) for seed in seeds] for claim in claims]
        for of_claim in tasks:
            yield [task.result() for task in of_claim]


def lines(of_claim: Sequence[Repeat]) -> list[str]:
    """A line for a claim, and one for each repeat whose verdict is not the registered one."""
    expected = registry.entry("claim", of_claim[0].claim).facts.get("EXPECTED")
    counts = ", ".join(f"{word} {n}/{len(of_claim)}" for word, n in Counter(r.verdict for r in of_claim).most_common())
    others = [f"  seed {r.seed}: {r.verdict}; {', '.join(r.disagreeing)}" for r in of_claim if r.verdict != expected]
    return [f"{of_claim[0].claim}: {counts} (registered: {expected})", *others]


def holds(of_claim: Sequence[Repeat]) -> bool:
    """Whether all verdicts of a claim are the registered one."""
    return {r.verdict for r in of_claim} == {registry.entry("claim", of_claim[0].claim).facts.get("EXPECTED")}


def _repeat(claim: str, seed: int) -> Repeat:
    """By the workflow's own job: a claim that fails, in whatever way, is one more verdict, and the others go on."""
    suite = {"name": "repeats", "seed": seed, "metrics": ("mmd",), "experiments": ({"target": "gaussian", "seeds": 2},), "claims": (claim,)}
    plan = Plan(checked(suite, claim))
    with tempfile.TemporaryDirectory() as root:
        stages.run("claim", plan, claim, Path(root))
        tested = Results(Path(root, "repeats"), plan).claim(claim)
    if tested.verdict == Verdict.FAILED:
        return Repeat(claim, seed, tested.verdict, [tested.reason])
    should = {CORRECTED} | {group for group, holds in tested.conditions.items() if holds}
    return Repeat(claim, seed, tested.verdict, [q.name for q in tested.quantities if q.group in should and not q.agrees])
