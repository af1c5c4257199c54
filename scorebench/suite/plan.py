"""A suite as jobs: what depends on what, which code and settings each job rests on, and how long it should take. Imports no torch."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scorebench.core import registry
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.suite.config import Experiment, Sampling, Suite


@dataclass(frozen=True)
class Train:
    """One model on one target with one loss, at all its noise levels and all seeds."""

    experiment: Experiment
    target: Spec
    model: Spec
    losses: tuple[Spec, ...]

    @property
    def loss(self) -> Spec:
        """The loss without its noise level."""
        return self.losses[0].without("sigma")

    @property
    def levels(self) -> list[float | None]:
        """The noise level of each member of `losses`."""
        return [loss.options.get("sigma") for loss in self.losses]

    @property
    def id(self) -> str:
        """The job as a path."""
        return f"{self.target.slug}/{self.model.slug}/{self.loss.slug}"


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
    def runs(self) -> list[tuple[Sampling, Train | None, tuple[Spec, ...]]]:
        """What is sampled in which block: the exact score (None), then the losses of each training job."""
        exact: list[tuple[Sampling, Train | None, tuple[Spec, ...]]] = [(block, None, ()) for block in self.exact]
        return exact + [(b, t, losses) for b in self.trained for t in self.sources if (losses := _sampled(b, t))]


@dataclass(frozen=True)
class Measure:
    """One target: its sources and all that was sampled from them."""

    experiment: Experiment
    target: Spec
    sources: tuple[Train, ...]
    samples: tuple[Sample, ...]

    @property
    def id(self) -> str:
        """The job as a path."""
        return self.target.slug


@dataclass(frozen=True)
class Plan:
    """Every job of a suite."""

    suite: Suite

    @cached_property
    def measures(self) -> list[Measure]:
        """One a target, with the jobs it needs."""
        return [_experiment(e) for e in self.suite.experiments]

    @cached_property
    def trains(self) -> dict[str, Train]:
        """Training jobs by id."""
        return {t.id: t for m in self.measures for t in m.sources}

    @cached_property
    def samples(self) -> dict[str, Sample]:
        """Sampling jobs by id."""
        return {s.id: s for m in self.measures for s in m.samples}

    def batches(self, stage: str) -> list[tuple[str, ...]]:
        """The claims, or figures, that one process does one after the other, since it starts no faster than it does one; its log bears the name of
        the first. A figure of claims alone, which may be wanted alone, is.
        """
        if stage == "claim":
            return _batches(self.suite.claims, CLAIMS_A_JOB)
        quick = [f for f in self.suite.figures if "metrics.csv" not in self.files_of_figure(f)]
        return [(f,) for f in quick] + _batches([f for f in self.suite.figures if f not in quick], FIGURES_A_JOB)

    def claims_of_figure(self, figure: str) -> tuple[str, ...]:
        """The claims whose numbers a figure shows."""
        wanted = registry.entry("figure", figure).facts.get("NEEDS", {}).get("claim", ())
        if wanted == "":
            return self.suite.claims
        return (wanted,) if isinstance(wanted, str) else wanted

    @cached_property
    def figure_of_claim(self) -> dict[str, str]:
        """The first of the suite's figures that shows a claim's numbers."""
        return {claim: name for name in reversed(self.suite.figures) for claim in self.claims_of_figure(name)}

    def files_of_figure(self, figure: str) -> list[str]:
        """What a figure is drawn from, in the suite's folder: claims alone if it needs nothing else, so that it need not wait for the tables."""
        needs = registry.entry("figure", figure).facts.get("NEEDS", {})
        claims = [path for claim in self.claims_of_figure(figure) for path in self.files_of_claim(claim)]
        return claims if set(needs) == {"claim"} else [*claims, "metrics.csv", "manifest.json"]

    def files_of_claim(self, claim: str) -> list[str]:
        """What a claim leaves, in the suite's folder: its numbers, and the arrays of its picture where it has one."""
        pictured = "picture" in registry.entry("claim", claim).functions
        return [f"claims/{claim}.json"] + ([f"claims/{claim}.npz"] if pictured else [])

    def measure(self, job: str) -> Measure:
        """The measuring job with this id."""
        return next(m for m in self.measures if m.id == job)

    def jobs(self, stage: str) -> list[str]:
        """The ids of a stage's jobs; a stage that runs once has one job without a name."""
        named = {
            "train": list(self.trains),
            "sample": list(self.samples),
            "measure": [m.id for m in self.measures],
            "claim": list(self.suite.claims),
            "figure": list(self.suite.figures),
        }
        return named.get(stage, [""])

    def fingerprint(self, stage: str, job: str = "") -> str:
        """What a job's result rests on, other than its input files: the settings it reads and the code it runs."""
        suite = self.suite
        shared = [suite.seed, suite.device, suite.job_minutes]
        if stage == "train":
            t = self.trains[job]
            settings = [*shared, t.target, t.model, t.losses, t.experiment.training, t.experiment.seeds]
            methods = [t.target, t.model, t.loss]
        elif stage == "sample":
            s = self.samples[job]
            blocks = [b.model_copy(update={"samplers": ()}) for b, _, _ in s.runs]  # another sampler beside it changes nothing
            settings = [*shared, s.target, s.sampler, blocks, s.experiment.seeds, [losses for _, _, losses in s.runs]]
            methods = [s.target, s.sampler, *(x.model for x in s.sources)]
        elif stage == "measure":
            m = self.measure(job)
            metrics = parse_all("metric", suite.metrics)
            settings = [*shared, suite.name, m.experiment, metrics, suite.snapshots]
            methods = [m.target, *metrics, *(x.model for x in m.sources), *(x.loss for x in m.sources)]
        elif stage in ("claim", "figure"):
            settings, methods = [*shared, suite.name], [parse(stage, job)]
        else:
            settings, methods = [suite.model_dump_json()], []
        code = registry.fingerprint(f"scorebench.stages.{stage}", *(m.entry.module for m in methods))
        return hashlib.sha256(repr((settings, code)).encode()).hexdigest()[:16]

    def minutes(self, stage: str, *jobs: str) -> float:
        """An estimate for one process on one core, start-up included: what the reference run took, else by rates measured on an ordinary core."""
        return (START_SECONDS + sum(self._seconds(stage, job) for job in jobs or ("",))) / 60

    @cached_property
    def _measured(self) -> dict[tuple[str, str], float]:
        path = Path("results", "reference", self.suite.name, "timings.csv")
        rows = csv.DictReader(path.read_text().splitlines()) if path.exists() else ()
        return {(r["stage"], r["job"]): float(r["seconds"]) for r in rows}

    def _seconds(self, stage: str, job: str) -> float:
        if (stage, job) in self._measured:
            return self._measured[stage, job]
        if stage == "train":
            t = self.trains[job]
            training = t.experiment.training
            runs = training.steps[-1] * t.experiment.seeds
            if training.sweep:
                runs += training.sweep.steps * training.sweep.seeds * len(training.sweep.learning_rates)
            return TRAIN_SECONDS * _size(t) * runs * training.batch * len(t.losses)
        if stage == "sample":
            s = self.samples[job]
            if s.sampler.entry.facts.get("GRADIENTS") == 0:
                return 1.0
            return sum(_rate(train) * max(len(losses), 1) * _particle_steps(block, s) for block, train, losses in s.runs)
        if stage == "measure":
            return sum(CELL_SECONDS * _cells(s) for s in self.measure(job).samples)
        return {"claim": 5.0, "figure": 3.0}.get(stage, 1.0)


CLAIMS_A_JOB, FIGURES_A_JOB = 3, 5
START_SECONDS = 3.0
# Seconds for a row and step at width 64, depth 2 (64 x 64 products dominate), and for a cell and seed.
TRAIN_SECONDS, SCORE_SECONDS, EXACT_SECONDS, CELL_SECONDS = 6e-6, 1e-6, 8e-8, 7e-3


def _batches(names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(names[i : i + size]) for i in range(0, len(names), size)]


def _size(t: Train) -> float:
    return (t.model.options.get("width", 16) / 64) ** 1.5


def _particle_steps(plan: Sampling, s: Sample) -> float:
    return len(plan.step_sizes) * len(plan.temperatures) * plan.chains * plan.budgets[-1] * s.experiment.seeds


def _rate(t: Train | None) -> float:
    return SCORE_SECONDS * _size(t) if t else EXACT_SECONDS


def _cells(s: Sample) -> float:
    return sum(
        len(b.step_sizes) * len(b.temperatures) * len(b.budgets) * s.experiment.seeds * max(len(losses), 1) for b, _, losses in s.runs
    )


def _experiment(e: Experiment) -> Measure:
    target = parse("target", e.target)
    sources = tuple(_trains(e, target))
    named = {n: None for block in (*e.exact, *e.trained) for n in block.samplers}
    samples = []
    for sampler in parse_all("sampler", named):
        exact, trained = (tuple(b for b in of if sampler in parse_all("sampler", b.samplers)) for of in (e.exact, e.trained))
        samples.append(Sample(e, target, sampler, exact, trained, tuple(t for t in sources if any(_sampled(b, t) for b in trained))))
    return Measure(e, target, sources, tuple(samples))


def _sampled(block: Sampling, train: Train) -> tuple[Spec, ...]:
    """The losses of a training job that a block samples."""
    wanted = train.losses if block.losses is None else parse_all("loss", block.losses)
    return tuple(loss for loss in train.losses if loss in wanted)


def _trains(e: Experiment, target: Spec) -> Iterable[Train]:
    for model_text, loss_texts in e.sources.items():
        groups: dict[Spec, list[Spec]] = {}
        for loss in parse_all("loss", loss_texts):
            groups.setdefault(loss.without("sigma"), []).append(loss)
        for losses in groups.values():
            yield Train(e, target, parse("model", model_text), tuple(losses))
