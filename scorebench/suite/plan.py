"""A suite as jobs and files: what depends on what, and where everything lies under the suite's folder. Imports no torch."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from scorebench.core import registry
from scorebench.core.schema import TABLES
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.suite.config import Suite
from scorebench.suite.jobs import COMPUTING, Measure, OnTarget, Sample, Train, floored, jobs_of, timing

CLAIMS_A_JOB, FIGURES_A_JOB = 3, 5


@dataclass(frozen=True)
class Plan:
    """Every job of a suite, by its stage and its id; a stage that runs once has one job without an id."""

    suite: Suite

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
        return {train.id: train for on in self.targets.values() for train in on.sources}

    @cached_property
    def samples(self) -> dict[str, Sample]:
        """Sampling jobs by id."""
        return {sample.id: sample for on in self.targets.values() for sample in on.samples}

    @cached_property
    def methods(self) -> list[Spec]:
        """Every method that the suite names."""
        methods = [on.target for on in self.targets.values()] + self.metrics
        methods += [spec for train in self.trains.values() for spec in (train.model, *train.losses)]
        methods += [sample.sampler for sample in self.samples.values()]
        return list(dict.fromkeys([*methods, *parse_all("claim", self.suite.claims), *parse_all("figure", self.suite.figures)]))

    def jobs(self, stage: str) -> list[str]:
        """The ids of a stage's jobs."""
        by_stage = {
            "train": list(self.trains),
            "sample": list(self.samples),
            "measure": list(self.measures),
            "map": list(self.targets),
            "sensitivity": list(self.sensitivities),
            "claim": list(self.suite.claims),
            "figure": list(self.suite.figures),
        }
        return by_stage.get(stage, [""])

    @cached_property
    def shared_metrics(self) -> list[tuple[Spec, ...]]:
        """The metrics that one process measures in turn on a target: the package's. One from elsewhere is alone: an edit of it reruns no other."""
        own = [metric for metric in self.metrics if metric.entry.elsewhere]
        builtin = tuple(metric for metric in self.metrics if metric not in own)
        return [*([builtin] if builtin else []), *((metric,) for metric in own)]

    def of_target(self, target: str, metrics: Collection[Spec]) -> list[str]:
        """The measuring jobs of some metrics on one target."""
        return [id for id, job in self.measures.items() if job.on.id == target and job.metric in metrics]

    def batches(self, stage: str) -> list[tuple[str, ...]]:
        """The jobs of a stage that one start of Python does one after the other, which takes as long as a job: a few claims, or figures, the log of which
        bears the name of the first; every metric of a target. What comes from elsewhere is alone, and so is a figure of claims, which may be wanted alone.
        """
        if stage == "claim":
            return _batches("claim", self.suite.claims, CLAIMS_A_JOB)
        if stage == "measure":
            return [tuple(self.of_target(target, metrics)) for target in self.targets for metrics in self.shared_metrics]
        if stage == "sensitivity":
            return [tuple(self.sensitivities)] if self.sensitivities else []
        if stage != "figure":
            return [(job,) for job in self.jobs(stage)]
        waiting = [figure for figure in self.suite.figures if "manifest.json" in self.inputs("figure", figure)]
        return [(figure,) for figure in self.suite.figures if figure not in waiting] + _batches("figure", waiting, FIGURES_A_JOB)

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
            return [f"train/{train.id}.npz" for train in on.sources] + [f"sample/{sample.id}.npz" for sample in sampled]
        if stage == "map":
            return [f"train/{train.id}.npz" for train in self.targets[job].sources]
        if stage == "tables":
            trained = [f"train/{train}.npz" for train in self.trains]
            rows = [f"{name}/{id}.csv.gz" for name in ("measure", "sensitivity") for id in self.jobs(name)]
            clocks = [timing(name, id) for name in COMPUTING for id in self.jobs(name)]
            return [*trained, *rows, *self._claims(), *clocks]
        if stage == "figure":
            patterns = _facts("figure", job).get("READS", ())
            files = [file for name in ("train", "sample", "map", "tables") for id in self.jobs(name) for file in self.outputs(name, id)]
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
        if stage in ("train", "sample", "map"):
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


def _batches(kind: str, names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    own = [name for name in names if registry.entry(kind, name).elsewhere]
    shared = [name for name in names if name not in own]
    return [tuple(shared[first : first + size]) for first in range(0, len(shared), size)] + [(name,) for name in own]
