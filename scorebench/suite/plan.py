"""A suite as jobs and files: what depends on what, and where everything lies under the suite's folder. Imports no torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from scorebench.core import registry
from scorebench.core.schema import TABLES
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.suite.config import Suite
from scorebench.suite.estimate import seconds
from scorebench.suite.jobs import COMPUTING, Measure, OnTarget, Sample, Train, Work, floored, jobs_of, timing

SECONDS, FIGURES_SECONDS = 80.0, 10.0
"""What jobs that share a process take at most; the last figures are all that is left to do, on every core."""


@dataclass(frozen=True)
class Plan:
    """Every job of a suite, by its stage and its id; a stage that runs once has one job without an id."""

    suite: Suite
    rests_on: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What the workflow says that jobs rest on, a hash by the path of a job's record."""

    @cached_property
    def targets(self) -> dict[str, OnTarget]:
        """What is done on each target, by its id."""
        return {on.id: on for on in map(jobs_of, self.suite.experiments)}

    @cached_property
    def metrics(self) -> list[Spec]:
        """The suite's metrics."""
        return parse_all("metric", self.suite.metrics)

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """Measuring jobs by id, one a target and metric."""
        return {job.id: job for job in (Measure(on, metric) for on in self.targets.values() for metric in self.metrics)}

    @cached_property
    def sensitivities(self) -> dict[str, Spec]:
        """The metric of each job of the sensitivity, by id."""
        if not self.suite.sensitivity:
            return {}
        return {f"{parse('target', self.suite.sensitivity.target).slug}/{metric.slug}": metric for metric in floored(self.metrics)}

    @cached_property
    def trains(self) -> dict[str, Train]:
        """Training jobs by id."""
        return {train.id: train for on in self.targets.values() for train in (*on.sources, *on.smaller)}

    @cached_property
    def samples(self) -> dict[str, Sample]:
        """Sampling jobs by id."""
        return {sample.id: sample for on in self.targets.values() for sample in on.samples}

    @cached_property
    def works(self) -> dict[str, Work]:
        """Jobs that find a method's work, by id."""
        return {work.id: work for on in self.targets.values() for work in on.works}

    @cached_property
    def methods(self) -> list[Spec]:
        """Every method that the suite names."""
        methods = [on.target for on in self.targets.values()] + self.metrics
        methods += [parse("target", self.suite.sensitivity.target)] if self.suite.sensitivity else []
        methods += [spec for train in self.trains.values() for spec in (train.model, *train.losses)]
        methods += [sample.sampler for sample in self.samples.values()]
        methods += [begin.sampler for work in self.works.values() for begin in work.begins]
        return list(dict.fromkeys([*methods, *parse_all("claim", self.suite.claims), *parse_all("figure", self.suite.figures)]))

    def jobs(self, stage: str) -> list[str]:
        """The ids of a stage's jobs."""
        by_stage = {
            "train": list(self.trains),
            "sample": list(self.samples),
            "measure": list(self.measures),
            "work": list(self.works),
            "map": list(self.targets),
            "sensitivity": list(self.sensitivities),
            "claim": list(self.suite.claims),
            "figure": list(self.suite.figures),
        }
        return by_stage.get(stage, [""])

    def batches(self, stage: str) -> list[tuple[str, ...]]:
        """The jobs of a stage that one start of Python, which takes as long as a short job, does one after the other.

        In the suite's order, as many as take SECONDS together by the suite alone (`estimate`), so that a long job is by itself. In company are trainings,
        samplers (those that wait for a training, and those that do not) or metrics of one target, any maps or claims, figures of the same claims or of the
        comparison. What comes from elsewhere is alone: an edit of it reruns no other.
        """
        return [batch for group in self._company(stage) for batch in self._shared(stage, group)]

    def log(self, stage: str, job: str = "") -> str:
        """Where what a job prints lies, in the suite's folder: the log of jobs that share a process bears the name of the first."""
        first = next(batch[0] for batch in self.batches(stage) if job in batch)
        return f"logs/{stage}/{first}".removesuffix("/") + ".log"

    def _company(self, stage: str) -> list[list[str]]:
        """The jobs of a stage in groups, of which some may share a process."""
        on = self.targets.values()
        if stage == "train":
            return [[train.id for train in (*its.sources, *its.smaller)] for its in on]
        if stage == "sample":
            return [[sample.id for sample in its.samples if bool(sample.sources) == waits] for its in on for waits in (True, False)]
        if stage == "measure":
            return [[id for id, job in self.measures.items() if job.on is its] for its in on]
        if stage == "work":
            return [[work.id for work in its.works] for its in on]
        if stage == "figure":  # one of claims may be wanted by itself: it waits for no other claims than share a process with its own
            process = {claim: claims for claims in self.batches("claim") for claim in claims}
            groups: dict[frozenset[tuple[str, ...]], list[str]] = {}
            for figure in self.suite.figures:
                waited = frozenset(process[claim] for claim in self.claims_of_figure(figure))
                groups.setdefault(waited, []).append(figure)
            return list(groups.values())
        return [self.jobs(stage)]

    def _shared(self, stage: str, group: Sequence[str]) -> list[tuple[str, ...]]:
        batches: list[list[str]] = []
        own = [job for job in group if any(spec.entry.elsewhere for spec in self._methods(stage, job))]
        taken = math.inf
        for job in group:
            if job not in own:
                taken += seconds(self, stage, job)
                if taken > (FIGURES_SECONDS if stage == "figure" else SECONDS):
                    batches.append([])
                    taken = seconds(self, stage, job)
                batches[-1].append(job)
        return [*map(tuple, batches), *((job,) for job in own)]

    def _methods(self, stage: str, job: str) -> list[Spec]:
        """What a job has that others in its company have not."""
        if stage == "train":
            return [self.trains[job].model, *self.trains[job].losses]
        if stage == "sample":
            return [self.samples[job].sampler]
        if stage == "measure":
            return [self.measures[job].metric]
        if stage == "work":
            return [self.works[job].method]
        if stage == "map":
            return [self.targets[job].target, *(spec for train in self.targets[job].sources for spec in (train.model, *train.losses))]
        return [Spec(stage, job)] if stage in ("claim", "figure") else []

    def claims_of_figure(self, figure: str) -> tuple[str, ...]:
        """The claims whose numbers a figure shows."""
        wanted = _facts("figure", figure).get("USES", {}).get("claim", ())
        return self.suite.claims if "" in wanted else wanted

    @cached_property
    def figure_of_claim(self) -> dict[str, str]:
        """The first of the suite's figures that shows a claim's numbers."""
        return {claim: figure for figure in reversed(self.suite.figures) for claim in self.claims_of_figure(figure)}

    def inputs(self, stage: str, job: str = "") -> list[str]:
        """The files, in the suite's folder, that a job reads."""
        if stage == "sample":
            return [f"train/{train.id}.npz" for train in self.samples[job].sources]
        if stage == "measure":
            on, metric = self.measures[job].on, self.measures[job].metric
            sampled = on.samples if metric.entry.facts.get("ABOUT", "sampler") == "sampler" else ()
            its = [*on.sources, *(() if sampled else on.smaller)]
            return [f"train/{train.id}.npz" for train in its] + [f"sample/{sample.id}.npz" for sample in sampled]
        if stage == "map":
            return [f"train/{train.id}.npz" for train in self.targets[job].sources]
        if stage == "tables":
            trained = [f"train/{train}.npz" for train in self.trains]
            rows = [f"{name}/{id}.csv.gz" for name in ("measure", "sensitivity") for id in self.jobs(name)]
            clocks = [timing(name, id) for name in COMPUTING for id in self.jobs(name)]
            works = [f"work/{id}.npz" for id in self.works]
            return [*trained, *rows, *works, *self._claims(), *clocks]
        if stage == "figure":
            patterns = _facts("figure", job).get("READS", ())
            files = [
                file for name in ("train", "sample", "work", "map", "tables") for id in self.jobs(name) for file in self.outputs(name, id)
            ]
            read = [file for file in files if any(fnmatchcase(file, pattern) for pattern in patterns)]
            claims = [file for claim in self.claims_of_figure(job) for file in self.outputs("claim", claim)]
            checked = set(read) & set(self.outputs("tables"))
            return [*claims, *read, *(["manifest.json"] if checked else [])]
        if stage == "page":
            figures = [file for figure in self.suite.figures for file in (f"figures/{figure}.png", timing("figure", figure))]
            return ["manifest.json", "metrics.csv", *(f"tables/{name}.csv" for name in TABLES), *self._claims(), *figures]
        return []

    def needed(self, stage: str, jobs: Iterable[str]) -> list[str]:
        """The files that some jobs of a stage read."""
        return list(dict.fromkeys(file for job in jobs for file in self.inputs(stage, job)))

    def outputs(self, stage: str, job: str = "") -> list[str]:
        """The files, in the suite's folder, that a job writes, but for the record of what it cost."""
        if stage in ("train", "sample", "work", "map"):
            return [f"{stage}/{job}.npz"]
        if stage in ("measure", "sensitivity"):
            return [f"{stage}/{job}.csv.gz"]
        if stage == "claim":
            pictured = "picture" in registry.entry("claim", job).functions
            return [f"claims/{job}.json"] + ([f"claims/{job}.npz"] if pictured else [])
        if stage == "tables":
            return [f"tables/{name}.{ending}" for name in TABLES for ending in ("csv", "md", "tex")] + [
                "metrics.csv",
                "timings.csv",
                "manifest.json",
            ]
        if stage == "figure":
            return [f"figures/{job}.{ending}" for ending in ("png", "pdf")]
        return ["index.html"]

    def paths(self, files: Iterable[str]) -> list[str]:
        """Files of the suite's folder, from where the workflow runs."""
        return [f"results/{self.suite.name}/{file}" for file in files]

    def _claims(self) -> list[str]:
        return [f"claims/{claim}.json" for claim in self.suite.claims]


def _facts(kind: str, name: str) -> dict[str, Any]:
    return registry.entry(kind, name).facts
