"""A configured metric, ready to be called under the net."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from scorebench.core import registry
from scorebench.core.schema import Ended, Status
from scorebench.core.spec import Spec, parse_all
from scorebench.engine.attempt import attempt, preload
from scorebench.metrics import base
from scorebench.metrics.base import Estimate, Points, Run
from scorebench.targets.base import Target, has


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric with its options."""

    spec: Spec

    @property
    def facts(self) -> dict[str, Any]:
        """What its file says of it."""
        return self.spec.entry.facts

    @property
    def needs(self) -> set[str]:
        """What it reads, as "run.samples", "source.score" or "target.modes"."""
        return self.facts.get("NEEDS", set())

    def evaluate(self, run: Run, target: Target, reference: Tensor | Points) -> Estimate:
        """Call it. Raises what it raises."""
        function: base.Metric = registry.method("metric", self.spec.name)
        return function(run, target, reference, **self.spec.options)

    def __call__(self, run: Run, target: Target, reference: Tensor | Points, limit: float) -> tuple[Estimate | None, Ended]:
        """The estimate, or why there is none."""
        for need in sorted(self.needs):
            owner, _, member = need.partition(".")
            if not has(target if owner == "target" else run, member):
                return None, Ended(Status.NOT_APPLICABLE, f"the {owner} has no {member.replace('_', ' ')}")
        return attempt(lambda: self.evaluate(run, target, reference), limit)


def metrics_of(specs: tuple[str, ...], about: str) -> list[Metric]:
    """The metrics about a "source" or a "sampler", imported."""
    metrics = [Metric(spec) for spec in parse_all("metric", specs) if spec.entry.facts.get("ABOUT", "sampler") == about]
    preload(*(metric.spec for metric in metrics))
    return metrics
