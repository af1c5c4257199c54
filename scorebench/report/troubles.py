"""What diverged, and what failed or ran out of time, a line each with the log that tells why."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from scorebench.core import sealed
from scorebench.core.schema import OK, Ended, Status, Verdict
from scorebench.core.spec import parse
from scorebench.report.work import PANELS
from scorebench.store.results import Results
from scorebench.suite.jobs import timing


def divergences(results: Results) -> list[str]:
    """What diverged, a line a target and method, with the steps."""
    return [line for line, _ in _bad(results, {Status.DIVERGED})]


def unfloored(results: Results) -> list[str]:
    """Targets whose values cannot be told from exact draws, a line each with the metrics that are without a floor."""
    rows = results.metrics
    with_floor = [text for text in rows["metric"].unique() if parse("metric", text).entry.facts.get("FLOOR")]
    bare = rows[(rows["status"] == OK.status) & rows["floor_mean"].isna() & (rows["sampler"] != "") & rows["metric"].isin(with_floor)]
    return [
        f"{target}: no floor for {', '.join(its['metric'].unique())}: there are no exact draws, or fewer than two sets of 16"
        for target, its in bare.groupby("target", sort=False)
    ]


def troubles(results: Results) -> list[str]:
    """What failed or ran out of time, a line a target and method or a claim or figure, with its log; of figures and the sensitivity, what is not applicable."""
    lines = [f"{line}; see {log()}" for line, log in _bad(results, {Status.FAILED, Status.TIMEOUT})]
    lines += [_line(results, "claim", claim.id, claim.reason) for claim in results.claims if claim.verdict == Verdict.FAILED]
    lines += [_line(results, "figure", figure, str(ended)) for figure, ended in _ended(results, "figure") if ended != OK]
    reasons: dict[Ended, list[str]] = {}
    for job, ended in _ended(results, "sensitivity"):
        reasons.setdefault(ended, []).append(job)
    for ended, jobs in reasons.items():
        metrics = ", ".join(str(results.plan.sensitivities[job]) for job in jobs)
        lines += [f"sensitivity of {metrics}: {ended}; see {_log(results, 'sensitivity', jobs[0])}"] if ended != OK else []
    return lines


def _ended(results: Results, stage: str) -> Iterator[tuple[str, Ended]]:
    """How each job of a stage ended, by its record."""
    for job in results.plan.jobs(stage):
        path = results.folder / timing(stage, job)
        entry = sealed.read(path) if path.exists() else OK._asdict()
        yield job, Ended(Status(entry["status"]), entry["reason"])


def _line(results: Results, kind: str, name: str, reason: str) -> str:
    return f"{kind} {name}: {reason}; see {_log(results, kind, name)}"


def _log(results: Results, stage: str, job: str) -> Path:
    return results.folder / results.plan.log(stage, job)


def _bad(results: Results, statuses: Collection[Status]) -> Iterator[tuple[str, Callable[[], Path]]]:
    """A line for each target and method with values, or cells of its work, that ended so, and where its log lies."""
    rows = results.metrics[results.metrics["status"] != Status.NOT_APPLICABLE]
    for (target, sampler, loss), every in rows.groupby(["target", "sampler", "loss"], sort=False):
        bad = every[every["status"].isin(statuses)]
        what = f"{sampler} on {loss or 'the exact score'}" if sampler else loss or "all of it"
        if len(bad):
            yield f"{target}, {what}{_counted(bad)}, of {len(every):,} values", partial(_log_of, results, bad)
    if not results.plan.works:
        return
    rows = results.table("work")
    rows = rows[(rows["status"] != Status.NOT_APPLICABLE) & (rows["panel"] == PANELS[0])]
    for (target, method), every in rows.groupby(["target", "method"], sort=False):
        bad = every[every["status"].isin(statuses)]
        job = f"{parse('target', target).slug}/{parse('sampler', method).slug}"
        if len(bad):
            yield f"{target}, work of {method}{_counted(bad)}, of {len(every):,} cells", partial(_log, results, "work", job)


def _counted(bad: pd.DataFrame) -> str:
    """At which steps, unless they are many, and how many ended how."""
    steps = sorted(bad["step_size"].dropna().unique())
    where = f" at step {', '.join(f'{step:g}' for step in steps)}" if 0 < len(steps) <= 8 else ""
    return f"{where}: " + ", ".join(f"{n:,} {status}{_reason(bad, status)}" for status, n in bad["status"].value_counts().items())


def _reason(rows: pd.DataFrame, status: object) -> str:
    """In parentheses, the first reason of a status, and how many more there are."""
    reasons = rows.loc[(rows["status"] == status) & (rows["reason"] != ""), "reason"].unique()
    more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f" ({reasons[0]}{more})" if len(reasons) else ""


def _log_of(results: Results, bad: pd.DataFrame) -> Path:
    """The log of the job that went wrong: where only some metrics of a method did, the measuring."""
    rows, key = results.metrics, ["target", "sampler", "loss"]
    target, sampler, loss = bad[key].iloc[0]
    whole = rows[(rows[key] == bad[key].iloc[0]).all(axis=1)]
    slug = parse("target", target).slug
    if bad["metric"].nunique() == whole["metric"].nunique():
        if sampler:
            return _log(results, "sample", f"{slug}/{parse('sampler', sampler).slug}")
        for id, train in results.plan.trains.items():
            if str(train.target) == target and loss in map(str, train.losses):
                return _log(results, "train", id)
    return _log(results, "measure", f"{slug}/{parse('metric', bad['metric'].iloc[0]).slug}")
