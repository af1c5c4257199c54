"""A comparison as a table in the terminal."""

import itertools
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from scorebench.commands.compare import Entry
from scorebench.commands.console import console_for
from scorebench.core.schema import OK, Status

UNMIXED = 1.01  # Vehtari et al. (2021), section 4


def show(result: list[Entry], kind: str, settings: str) -> None:
    """The same as a table: a row a metric, a column a method."""
    console = console_for()
    console.print(settings, markup=False)
    table = Table("metric", box=None, header_style="bold", pad_edge=False)
    for head in (r[kind].replace(":", ":\n").replace(",", ",\n") for r in result):
        table.add_column(head, overflow="fold")
    pair = len(result) == 2
    if pair:
        table.add_column("first - second,\nor, with x, first / second", overflow="fold")
    floors = any("floor_q95" in m for m in result[0]["metrics"])
    if floors:
        table.add_column("exact draws,\n95 % below", overflow="fold")
    nowhere = _nowhere(result)
    for i, first in enumerate(result[0]["metrics"]):
        if first["label"] in nowhere:
            continue
        cells = [_cell(r["metrics"][i]) + (" ★" if first["metric"] in r["best"] else "") for r in result]
        cells += [_difference(first.get("difference"))] if pair else []
        cells += [f"{first['floor_q95']:.3g}" if first.get("floor_q95") is not None else ""] if floors else []
        table.add_row(first["label"], *cells)
    if kind == "loss":
        table.add_row("learning rate", *map(_tuned, result))
    name, unit = ("milliseconds a step", 1e3) if kind == "loss" else ("nanoseconds a gradient", 1e9)
    costs = (r["seconds_per_gradient"] for r in result)
    table.add_row(name, *("" if c is None else f"{unit * c:.{2 if kind == 'loss' else 0}f}" for c in costs))
    console.print(table)
    console.print(
        "A mean across seeds with its 95 % t interval; ★: better than every other beyond chance (paired t tests, Holm over all metrics and pairs, 5 %), "
        "not where both are as good as exact draws.",
        markup=False,
    )
    for reason, labels in itertools.groupby(sorted(nowhere, key=lambda label: nowhere[label]), key=lambda label: nowhere[label]):
        console.print(f"{reason}: {', '.join(labels)}.", markup=False)
    for r in result:
        for reason, its in _reasons(r, nowhere).items():
            some = "" if len(its) == len(r["metrics"]) - len(nowhere) else f" ({', '.join(its)})"
            console.print(f"{r[kind]}: {reason}{some}.", markup=False)
    if edges := [r[kind] for r in result if r.get("at_edge")]:
        console.print(f"The best learning rate is at the edge of those tried for {', '.join(edges)}: try more (--rate).", markup=False)
    unmixed = [r[kind] for r in result for m in r["metrics"] if m["metric"] == "rhat" and (m["mean"] or 0) > UNMIXED]
    if unmixed:
        console.print(f"Not mixed: R-hat above {UNMIXED} for {', '.join(unmixed)}; such numbers are of the start, too.", markup=False)
    unknown = [(r[kind], next(iter(m["status"]))) for r in result for m in r["metrics"] if m["metric"] == "rhat" and m["mean"] is None]
    if unknown:
        console.print(f"Mixed or not: no R-hat for {'; '.join(f'{name} ({status})' for name, status in unknown)}.", markup=False)


def _nowhere(result: list[Entry]) -> dict[str, str]:
    """Metrics that are not applicable, whatever the method, by their labels, with the one reason."""
    found = {}
    for metrics in zip(*(r["metrics"] for r in result), strict=True):
        statuses = {status for metric in metrics for status in metric["status"]}
        if len(statuses) == 1 and (status := statuses.pop()).startswith(Status.NOT_APPLICABLE):
            found[metrics[0]["label"]] = status
    return found


def _reasons(entry: Entry, nowhere: Mapping[str, str]) -> dict[str, list[str]]:
    """Why a method has no value, and for which metrics."""
    reasons: dict[str, list[str]] = {}
    for metric in entry["metrics"]:
        for status in metric["status"]:
            if ": " in status and metric["label"] not in nowhere:
                reasons.setdefault(status, []).append(metric["label"])
    return reasons


def _difference(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    return f"{'x' if entry['ratio'] else ''}{entry['mean']:.3g} [{entry['low']:.3g}, {entry['high']:.3g}]"


def _tuned(entry: Entry) -> str:
    """The learning rate, or what the loss tunes in its place."""
    values = entry.get("tuned", {"": entry["learning_rate"]})
    return ", ".join(f"{option} {value:g}".strip() for option, value in values.items() if value is not None)


def _cell(entry: dict[str, Any]) -> str:
    others = [f"{s.partition(': ')[0]} {n}/{sum(entry['status'].values())}" for s, n in entry["status"].items() if s != str(OK)]
    value = "" if entry["mean"] is None else f"{entry['mean']:.3g}"
    interval = "" if entry["low"] is None else f" [{entry['low']:.3g}, {entry['high']:.3g}]"
    return "; ".join(filter(None, [value + interval, *others]))
