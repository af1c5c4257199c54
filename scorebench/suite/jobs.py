"""The jobs of an experiment: what is trained, sampled and measured, and what each needs of the others. Imports no torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from scorebench.core import files, registry
from scorebench.core.registry import AXES, REQUIRED, Option
from scorebench.core.spec import Spec, parse, parse_all, written

if TYPE_CHECKING:  # planning is no part of what a job runs: the settings that it makes count
    from scorebench.suite.config import Experiment, Race, Sampling, Suite, Training


COMPUTING = ("train", "sample", "measure", "work", "map", "sensitivity", "claim")
"""The stages whose results the tables collect."""
STAGES = (*COMPUTING, "tables", "figure", "page")


OF_SNAPSHOTS = {("run", "samples"), ("source", "score"), ("target", "modes"), ("target", "sample"), ("target", "score")}
"""What metrics can need before the end of a run; the trace and the acceptance are those of the whole run."""


def timing(stage: str, job: str) -> str:
    """Where a job's record of what it cost lies, in the suite's folder."""
    return f"timings/{stage}/{job or stage}.json"


def limits(suite: Suite) -> dict[str, float]:
    """What holds for every job."""
    return {"job_minutes": suite.job_minutes, "job_memory_mb": suite.job_memory_mb}


def floored(metrics: Iterable[Spec]) -> list[Spec]:
    """The metrics of samples that have a floor: those that can see a planted fault."""
    return [metric for metric in metrics if metric.entry.facts.get("FLOOR") and metric.entry.facts.get("ABOUT", "sampler") == "sampler"]


def level(loss: Spec) -> float | None:
    """The loss's noise level, if it has that option (LEVELS)."""
    return loss.options.get(loss.entry.facts.get("LEVELS", ""))


def gives(model: Spec) -> set[str]:
    """What a model gives (GIVES), and of one that a file defines what that gives by what stands in it (BY_FILE)."""
    facts = model.entry.facts
    said = files.says(model) if "BY_FILE" in facts else {}
    return {*facts.get("GIVES", ()), *(member for name, member in facts.get("BY_FILE", {}).items() if name in said)}


def ladder(spec: Spec) -> tuple[float, ...]:
    """The noise levels that one trained model has, or a sampler goes down: what the method calls so (LADDER), an option or a name in its file."""
    name = spec.entry.facts.get("LADDER", "")
    given: Any = spec.options.get(name) or (files.says(spec).get(name) if name else None) or ()
    try:
        checked: Any = Option("Falling", REQUIRED).check(tuple(given))
    except (TypeError, ValidationError):
        return ()
    return checked


def levels(loss: Spec, model: Spec) -> tuple[float, ...]:
    """The noise levels of a trained source, from the largest to the smallest: of a model that was trained elsewhere its own."""
    return ladder(loss) or ladder(model)


def over(grid: Mapping[str, Iterable[Any]], texts: Iterable[str]) -> Iterator[str]:
    """Specs of samplers, of one that tunes options of the grid one a value."""
    for text in texts:
        name, given, _ = text.partition(":")
        tunes = registry.entry("sampler", name).facts.get("TUNES", ())
        axes = [[f"{option}={written(value)}" for value in values] for option, values in grid.items() if option in tunes]
        for cell in itertools.product(*axes):
            yield text + ("," if given else ":") * bool(cell) + ",".join(cell)


def samplers(block: Sampling | Race) -> list[Spec]:
    """The samplers of a block, at every value of its grid. Raises InputError with a line a mistake."""
    return parse_all("sampler", over(block.grid, block.samplers))


def gradients(sampler: Spec) -> int:
    """Gradients a step (GRADIENTS): a number, or that of the option which it names, of a tuple how many it holds; none where the draws are independent."""
    per_step = sampler.entry.facts.get("GRADIENTS", 1)
    if isinstance(per_step, str):
        per_step = sampler.options[per_step]
    return len(per_step) if isinstance(per_step, tuple) else int(per_step)


def has_step(sampler: Spec) -> bool:
    """Whether a sampler has a step size (AXES); independent draws have none."""
    return gradients(sampler) > 0 and "step_size" in sampler.entry.facts.get("AXES", AXES)


def has_temperature(sampler: Spec) -> bool:
    """Whether a sampler has a temperature (AXES)."""
    return "temperature" in sampler.entry.facts.get("AXES", AXES)


def a_round(sampler: Spec) -> int:
    """The gradients of a sampler's smallest round: a step, at every noise level where it has some."""
    return gradients(sampler) * max(len(ladder(sampler)), 1)


def to_the_end(sampler: Spec) -> int:
    """The gradients after which a sampler is where it goes: a step, or all its steps at every noise level."""
    return a_round(sampler) * int(sampler.options.get(sampler.entry.facts.get("STEPS_A_LEVEL", ""), 1))


def within(sampler: Spec, budgets: Sequence[int]) -> list[int]:
    """The budgets that a sampler has a use for: of one that ENDS none beyond its end."""
    most = to_the_end(sampler) if sampler.entry.facts.get("ENDS") else budgets[-1]
    return list(dict.fromkeys(min(budget, most) for budget in budgets))


LEARNING_RATE = "learning_rate"


def swept(loss: Spec, training: Training) -> tuple[str, tuple[float, ...]]:
    """What is chosen for a loss and the values that are tried, one where it is given: an option of its own (TUNES) or the learning rate.

    Of a loss with such an option there are none where that is given, nor of one that fits by itself and has none.
    """
    for option, values in loss.entry.facts.get("TUNES", {}).items():
        return option, values if loss.options[option] is None else ()
    if "fit" in loss.entry.functions:
        return LEARNING_RATE, ()
    return LEARNING_RATE, training.sweep.learning_rates if training.sweep else (training.learning_rate,)


def trains(loss: Spec, model: Spec) -> bool:
    """Whether a loss can train a model: it has what the loss needs and nothing that is `unwanted`. A broken file fails where it is used."""
    needs = {member for owner, member in loss.needs if owner == "model"}
    return bool(loss.entry.error or model.entry.error) or needs <= (its := gives(model)) and not unwanted(needs) & its


def unwanted(needs: set[str]) -> set[str]:
    """What a model must not have for a loss that does not need it: weights of its own; noise levels, where it is trained."""
    return set() if "given" in needs else {"noise_levels", "given"} - needs


def without_level(loss: Spec) -> Spec:
    """The loss without its noise level: what is trained as one stack."""
    return loss.without(loss.entry.facts.get("LEVELS", ""))


@dataclass(frozen=True)
class Train:
    """One model on one target with one loss, at all its noise levels and all seeds."""

    experiment: Experiment
    target: Spec
    model: Spec
    losses: tuple[Spec, ...]
    size: int | None = None
    """Of the training set, where it is another than the experiment's."""

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.experiment.training.model_copy(update={"size": self.size} if self.size else {})

    @property
    def loss(self) -> Spec:
        """The loss without its noise level."""
        return without_level(self.losses[0])

    @property
    def levels(self) -> list[float | None]:
        """The noise level of each member of `losses`."""
        return [level(loss) for loss in self.losses]

    @property
    def id(self) -> str:
        """The job as a path."""
        return f"{self.target.slug}/{self.model.slug}/{self.loss.slug}{f'/{self.size}' if self.size else ''}"


@dataclass(frozen=True)
class Sample:
    """One sampler on one target: all sources, the whole grid."""

    experiment: Experiment
    target: Spec
    sampler: Spec
    exact: tuple[Sampling, ...]
    trained: tuple[Sampling, ...]
    sources: tuple[Train, ...]

    @property
    def id(self) -> str:
        """The job as a path."""
        return f"{self.target.slug}/{self.sampler.slug}"

    @property
    def gradients(self) -> int:
        """Gradients a step; none where the draws are independent."""
        return gradients(self.sampler)

    @property
    def runs(self) -> list[tuple[Sampling, Train | None, tuple[Spec, ...]]]:
        """What is sampled in which block: the exact score (None), then the losses of each training job."""
        exact: list[tuple[Sampling, Train | None, tuple[Spec, ...]]] = [(block, None, ()) for block in self.exact]
        return exact + [(block, train, losses) for block in self.trained for train in self.sources if (losses := _sampled(block, train))]


class Begin(NamedTuple):
    """Where the pilot of a method begins."""

    sampler: Spec
    step_sizes: tuple[float, ...]
    budget: int
    pilot: int | None = None
    final: int | None = None


@dataclass(frozen=True)
class Work:
    """The work of one method, a sampler with all values of what it tunes, on one target."""

    target: Spec
    method: Spec
    begins: tuple[Begin, ...]

    @property
    def id(self) -> str:
        """The job as a path."""
        return f"{self.target.slug}/{self.method.slug}"


@dataclass(frozen=True)
class OnTarget:
    """All that is done on one target: its sources and what is sampled from them."""

    experiment: Experiment
    target: Spec
    sources: tuple[Train, ...]
    smaller: tuple[Train, ...]
    """The same on smaller training sets, which are measured and not sampled."""
    samples: tuple[Sample, ...]
    works: tuple[Work, ...]

    @property
    def id(self) -> str:
        """As a path."""
        return self.target.slug


@dataclass(frozen=True)
class Measure:
    """One metric of all that is done on one target."""

    on: OnTarget
    metric: Spec

    @property
    def id(self) -> str:
        """The job as a path."""
        return f"{self.on.id}/{self.metric.slug}"


def jobs_of(experiment: Experiment) -> OnTarget:
    """What an experiment does."""
    target = parse("target", experiment.target)
    sources = tuple(_trains(experiment, target))
    samples = []
    for sampler in dict.fromkeys(sampler for block in (*experiment.exact, *experiment.trained) for sampler in samplers(block)):
        exact, trained = (
            tuple(block for block in blocks if sampler in samplers(block)) for blocks in (experiment.exact, experiment.trained)
        )
        needed = tuple(train for train in sources if any(_sampled(block, train) for block in trained))
        samples.append(Sample(experiment, target, sampler, exact, trained, needed))
    smaller = tuple(replace(train, size=size) for size in experiment.training.sizes for train in sources)
    return OnTarget(experiment, target, sources, smaller, tuple(samples), tuple(_works(experiment, target)))


def _works(experiment: Experiment, target: Spec) -> Iterator[Work]:
    begins: dict[Spec, list[Begin]] = {}
    for block in experiment.work:
        for sampler in samplers(block):
            begin = Begin(sampler, tuple(sorted(block.step_sizes)), block.budget, block.pilot, block.final)
            begins.setdefault(sampler.method, []).append(begin)
    for method, its in begins.items():
        yield Work(target, method, tuple(its))


def _sampled(block: Sampling, train: Train) -> tuple[Spec, ...]:
    """The losses of a training job that a block samples."""
    wanted = train.losses if block.losses is None else parse_all("loss", block.losses)
    return tuple(loss for loss in train.losses if loss in wanted)


def _trains(experiment: Experiment, target: Spec) -> Iterator[Train]:
    for model, texts in experiment.sources.items():
        stacks: dict[Spec, list[Spec]] = {}
        for loss in parse_all("loss", texts):
            stacks.setdefault(without_level(loss), []).append(loss)
        for losses in stacks.values():
            yield Train(experiment, target, parse("model", model), tuple(losses))
