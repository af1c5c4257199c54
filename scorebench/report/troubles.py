"""What diverged, and what failed or ran out of time, a line each with the log that tells why."""

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pandas as pd

from scorebench.core.schema import OK, Ended, Status, Verdict
from scorebench.core.spec import parse
from scorebench.store.results import Results
from scorebench.suite.jobs import timing


def divergences(results: Results) -> list[str]:
    """What diverged, a line a target and method, with the steps."""
    return _bad(results, {Status.DIVERGED}, lambda rows: "")


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
    lines = _bad(results, {Status.FAILED, Status.TIMEOUT}, lambda rows: f"; see {_log_of(results, rows)}")
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
        entry = json.loads(path.read_text(encoding="utf-8")) if path.exists() else OK._asdict()
        yield job, Ended(Status(entry["status"]), entry["reason"])


def _line(results: Results, kind: str, name: str, reason: str) -> str:
    return f"{kind} {name}: {reason}; see {_log(results, kind, name)}"


def _log(results: Results, stage: str, job: str) -> Path:
    return results.folder / results.plan.log(stage, job)


def _bad(results: Results, statuses: Collection[Status], log: Callable[[pd.DataFrame], str]) -> list[str]:
    lines = []
    rows = results.metrics[results.metrics["status"] != Status.NOT_APPLICABLE]
    for _, every in rows.groupby(["target", "sampler", "loss"], sort=False):
        bad = every[every["status"].isin(statuses)]
        if bad.empty:
            continue
        target, sampler, loss = every[["target", "sampler", "loss"]].iloc[0]
        steps = sorted(bad["step_size"].dropna().unique())
        where = f" at step {', '.join(f'{step:g}' for step in steps)}" if 0 < len(steps) <= 8 else ""
        what = f"{sampler} on {loss or 'the exact score'}" if sampler else loss or "all of it"
        counts = ", ".join(f"{n:,} {status}{_reason(bad, status)}" for status, n in bad["status"].value_counts().items())
        lines.append(f"{target}, {what}{where}: {counts}, of {len(every):,} values{log(bad)}")
    return lines


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
