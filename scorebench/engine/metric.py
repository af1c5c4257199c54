"""A configured metric, ready to be called under the net."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from scorebench.core import registry
from scorebench.core.errors import NotApplicable
from scorebench.core.schema import Ended
from scorebench.core.spec import Spec
from scorebench.engine.attempt import attempt
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

    def evaluate(self, run: Run, target: Target, reference: Tensor | Points) -> Estimate:
        """Call it. Raises what it raises."""
        function: base.Metric = registry.method("metric", self.spec.name)
        return function(run, target, reference, **self.spec.options)

    def value(self, run: Run, target: Target, reference: Tensor | Points) -> Tensor:
        """The same without its standard error: what floors are made of."""
        alone = base.VALUE_ALONE.set(True)
        try:
            return self.evaluate(run, target, reference).value
        finally:
            base.VALUE_ALONE.reset(alone)

    def __call__(self, run: Run, target: Target, reference: Callable[[], Tensor] | Points, limit: float) -> tuple[Estimate | None, Ended]:
        """The estimate, or why there is none; of a sampler's metric `reference` gives the exact draws."""
        return attempt(lambda: self._called(run, target, reference), limit)

    def _called(self, run: Run, target: Target, reference: Any) -> Estimate:
        for owner, member in self.spec.needs:
            whole = target if owner == "target" else run
            if not has(whole, member):
                raise NotApplicable(f"the {owner} has no {getattr(getattr(whole, member), 'what', member.replace('_', ' '))}")
        if (order := self.facts.get("MOMENTS", 0)) > target.moments:
            raise NotApplicable(f"the target has no moment of order {order}")
        return self.evaluate(run, target, reference if self.facts.get("ABOUT") == "source" else reference())
