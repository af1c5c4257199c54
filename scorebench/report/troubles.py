"""What diverged, what failed or ran out of time, a line each with the log that tells why, and what does not apply."""

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

FAILED = {Status.FAILED, Status.TIMEOUT}


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


def troubles(results: Results, folder: Path | None = None) -> list[str]:
    """What failed or ran out of time, a line a target and method or a claim or figure, with its log under `folder`, that of the results if not given."""
    under = results.folder if folder is None else folder
    lines = [f"{line}; see {under / log()}" for line, log in _bad(results, FAILED)]
    ended = {("claim", claim.id): claim.reason for claim in results.claims if claim.verdict == Verdict.FAILED}
    ended |= {("figure", figure): str(how) for figure, how in _ended(results, "figure") if how.status in FAILED}
    lines += [f"{kind} {name}: {reason}; see {under / results.plan.log(kind, name)}" for (kind, name), reason in ended.items()]
    return lines + [
        f"sensitivity of {metrics}: {how}; see {under / results.plan.log('sensitivity', job)}"
        for how, metrics, job in _sensitivities(results)
        if how.status in FAILED
    ]


def inapplicable(results: Results) -> list[str]:
    """The figures and sensitivities that do not apply, and why."""
    figures = [f"figure {figure}: {how.reason}" for figure, how in _ended(results, "figure") if how.status == Status.NOT_APPLICABLE]
    return figures + [
        f"sensitivity of {metrics}: {how.reason}" for how, metrics, _ in _sensitivities(results) if how.status == Status.NOT_APPLICABLE
    ]


def _sensitivities(results: Results) -> Iterator[tuple[Ended, str, str]]:
    """How the metrics ended, those that ended alike together, and the first one's job."""
    alike: dict[Ended, list[str]] = {}
    for job, how in _ended(results, "sensitivity"):
        alike.setdefault(how, []).append(job)
    for how, jobs in alike.items():
        yield how, ", ".join(str(results.plan.sensitivities[job]) for job in jobs), jobs[0]


def _ended(results: Results, stage: str) -> Iterator[tuple[str, Ended]]:
    """How each job of a stage ended, by its record."""
    for job in results.plan.jobs(stage):
        path = results.folder / timing(stage, job)
        entry = sealed.read(path) if path.exists() else OK._asdict()
        yield job, Ended(Status(entry["status"]), entry["reason"])


def _bad(results: Results, statuses: Collection[Status]) -> Iterator[tuple[str, Callable[[], str]]]:
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
            yield f"{target}, work of {method}{_counted(bad)}, of {len(every):,} cells", partial(results.plan.log, "work", job)


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


def _log_of(results: Results, bad: pd.DataFrame) -> str:
    """The log of the job that went wrong: where only some metrics of a method did, the measuring."""
    rows, key = results.metrics, ["target", "sampler", "loss"]
    target, sampler, loss = bad[key].iloc[0]
    whole = rows[(rows[key] == bad[key].iloc[0]).all(axis=1)]
    slug = parse("target", target).slug
    if bad["metric"].nunique() == whole["metric"].nunique():
        if sampler:
            return results.plan.log("sample", f"{slug}/{parse('sampler', sampler).slug}")
        for id, train in results.plan.trains.items():
            if str(train.target) == target and loss in map(str, train.losses):
                return results.plan.log("train", id)
    return results.plan.log("measure", f"{slug}/{parse('metric', bad['metric'].iloc[0]).slug}")
