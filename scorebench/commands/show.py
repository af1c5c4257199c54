"""A comparison as a table in the terminal."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from scorebench.commands.compare import Entry
from scorebench.commands.console import console_for, table
from scorebench.core.schema import OK, Ended, Status

UNMIXED = 1.01  # Vehtari et al. (2021), section 4


def show(result: list[Entry], kind: str, settings: str) -> None:
    """The same as a table: of losses a row a metric and a column a method; of samplers their work, then the metrics, and what follows from the work."""
    if kind == "sampler":
        _show_samplers(result, settings)
        return
    console = console_for()
    console.print(settings)
    ranked = [r for r in result if r["standing"]]
    if ranked:
        console.print(_standings(result, ranked[0]["standing"]))
        console.print()
    nowhere = _nowhere(result)
    beside = max(console.width // A_LOSS - 1, 1)
    for begin in range(0, len(result), beside):
        its = result[begin : begin + beside]
        shown = table("metric", *(_folded(r[kind]) for r in its))
        for i, first in enumerate(result[0]["metrics"]):
            if first["label"] not in nowhere:
                shown.add_row(first["label"], *(_cell(r["metrics"][i]) + (" ★" if first["metric"] in r["best"] else "") for r in its))
        shown.add_row("learning rate", *map(_tuned, its))
        shown.add_row("gradient steps", *(f"{r['steps']:,}" if r["steps"] else "none" for r in its))
        shown.add_row("milliseconds a step", *_costs(its, 1e3, 2))
        shown.add_row("seconds of training", *("" if r["seconds"] is None else f"{r['seconds']:.2f}" for r in its))
        console.print(shown)
    _remarks(console, result, kind, nowhere)
    if ranked:
        console.print()
        console.print(verdict_of_losses(ranked))


A_LOSS = 20
"""Columns that a number with its interval takes."""


def _standings(result: list[Entry], first: Mapping[str, Any]) -> Table:
    """A row a loss by the metric that ranks."""
    shown = table("loss", first["label"], "times the best" if first["log"] else "more than the best", "word", "the last doubling gained")
    for r in result:
        if its := r["standing"]:
            number, apart, gain = (
                _said(its, name, f"{ends}low", f"{ends}high") for name, ends in (("mean", ""), ("apart", "apart_"), ("gain", "gain_"))
            )
            gained = f"{'x ' * bool(first['log'] and gain)}{gain}"
            shown.add_row(_folded(r["loss"]), number, "the best" if its["leads"] else apart, its["word"], gained)
        else:
            shown.add_row(_folded(r["loss"]), "", "", "a yardstick, or without a value", "")
    return shown


def verdict_of_losses(ranked: list[Entry]) -> str:
    """What to take, and on what evidence: one sentence."""
    first = next(r for r in ranked if r["standing"]["leads"])
    its, rivals = first["standing"], sorted((r for r in ranked if r is not first), key=lambda r: r["standing"]["apart"])
    evidence = f"the {its['label']} of {first['loss']} is {_said(its, 'mean', 'low', 'high')}"
    gains = its["gain_low"] is not None and its["gain_low"] > (1 if its["log"] else 0)
    later = "; more steps would still gain" if gains else ""
    if not rivals:
        return f"{first['loss']} has no rival: {evidence}{later}."

    def apart(rival: Entry) -> str:
        return f"{_said(rival['standing'], 'apart', 'apart_low', 'apart_high')} {'times as much' if its['log'] else 'more'}"

    if its["word"] == "better":
        return f"Take {first['loss']}: {evidence}, and the next, {rivals[0]['loss']}, has {apart(rivals[0])}{later}."
    ties = [r for r in rivals if r["standing"]["word"] != "worse"]
    others = ", ".join(r["loss"] for r in ties)
    if its["word"] == "equivalent":
        return f"Take any of {first['loss']}, {others}: equivalent; {evidence}{later}."
    seen = max((r["standing"]["detectable"] for r in ties if r["standing"]["detectable"] is not None), default=None)
    would = (
        f"; {f'a ratio of {seen:.2f}' if its['log'] else f'a difference of {seen:.3g}'} would have been seen in 9 of 10 runs"
        if seen
        else ""
    )
    return f"Nothing is entitled between {first['loss']} and {others}{would}; {evidence}{later}."


def _show_samplers(result: list[Entry], settings: str) -> None:
    """In 80 columns, wherever it is read: intervals stand below their numbers, and metrics of two samplers side by side."""
    console = console_for(WIDTH)
    if any(row["work"].get("epsilon") for row in result):
        console.print(work_told(result))
        console.print(_works(result))
        console.print()
    console.print(settings)
    nowhere = _nowhere(result)
    floors = any("floor_q95" in m for m in result[0]["metrics"])
    for begin in range(0, len(result), 2):
        its = result[begin : begin + 2]
        shown = table("metric", *(_folded(r["sampler"]) for r in its), *["exact draws,\n95 % below"] * floors)
        for i, first in enumerate(its[0]["metrics"]):
            if first["label"] not in nowhere:
                cells = [_below(r["metrics"][i], first["metric"] in r["best"]) for r in its]
                cells += [f"{first['floor_q95']:.3g}" if first.get("floor_q95") is not None else ""] if floors else []
                shown.add_row(first["label"], *cells)
        shown.add_row("nanoseconds a gradient", *_costs(its, 1e9, 0))
        console.print(shown)
    _remarks(console, result, "sampler", nowhere)
    console.print()
    console.print(verdict(result))


WIDTH = 80


def work_told(result: list[Entry]) -> str:
    """What the numbers of a work are."""
    one = next(row["work"] for row in result if row["work"].get("epsilon"))
    return (
        f"Work: gradients a chain until every mean of the panel is within {math.sqrt(one['epsilon']):g} standard deviations of the law's, from"
        f" {one['start']}; {one['chains']} chains; 95 % intervals, those of the ratios all at once. Effective"
        " draws are in equilibrium; -: what has not mixed in 600 steps, or has no loop of that kind, has no number."
    )


def _works(result: list[Entry]) -> Table:
    """A row a contestant, intervals below."""
    shown = table("sampler", "work", "times the best", "word", "squared\nbias left", "draws a\ngradient")
    for row in result:
        work = row["work"]
        status = str(Ended(work["status"], work["reason"]))
        if work.get("budget") is None or "plateau" not in work:
            shown.add_row(_folded(work["cell"]), status.partition(": ")[0])
            continue
        reached = work["gradients"] is not None
        gradients = _ends(work, "gradients", "low", "high") if reached else f"not reached\nin {work['budget']}"
        ratio = _ends(work, "ratio", "ratio_low", "ratio_high")
        ess = f"{work['ess_per_gradient']:.2g}" if work["ess_per_gradient"] is not None else "-"
        shown.add_row(
            _folded(work["cell"]), gradients, ratio, work.get("word", ""), _ends(work, "plateau", "plateau_low", "plateau_high"), ess
        )
    return shown


def _ends(row: Mapping[str, Any], *names: str) -> str:
    """A number with its interval below; of one without a number or an end what it is at least."""
    value, low, high = (row.get(name) for name in names)
    if value is None:
        return "" if low is None else f"{low:.3g} or more"
    return (
        f"{value:.2g}\n[{low:.2g}, {high:.2g}]"
        if names[0] == "plateau"
        else f"{value:.3g}" + (f"\n[{low:.3g}, {high:.3g}]" if low is not None and high is not None else "")
    )


def verdict(result: list[Entry]) -> str:
    """What to take, and on what evidence: one sentence."""
    works = {row["sampler"]: row["work"] for row in result}
    its = {name: work for name, work in works.items() if "word" in work}
    if not its:
        (why, *_) = [str(Ended(work["status"], work["reason"])) for work in works.values()]
        return f"Nothing follows about which to take: no work was measured ({why})."
    first = next(iter(its.values()))
    evidence = f"within {math.sqrt(first['epsilon']):g} standard deviations of the law in every mean, from {first['start']}, by {first['chains']} chains"
    best = next((name for name, work in its.items() if work.get("ratio") == 1 and work.get("ratio_low") is None), None)
    if best is None:
        name = min(its, key=lambda name: its[name]["plateau"])
        left = its[name]["plateau"]
        return (
            f"Take none: not one comes {evidence}, to stay, in {its[name]['budget']} gradients; the least squared bias left is {left:.2g}, of"
            f" {its[name]['cell']}, where {first['epsilon']:g} is asked."
        )
    cell, needs = its[best]["cell"], f"{_said(its[best], 'gradients', 'low', 'high')} gradients to come {evidence}"
    rivals = {name: work for name, work in its.items() if name != best}
    if not rivals:
        return f"{cell} takes {needs}; there is nothing to compare it with."
    worse = {name: work for name, work in rivals.items() if work["word"] == "worse"}
    if its[best]["word"] == "better":
        nearest = min(worse.values(), key=lambda work: work["ratio_low"])
        times = f"{_said(nearest, 'ratio', 'ratio_low', 'ratio_high')} times as many"
        return f"Take {cell}: it takes {needs}, and the next, {nearest['cell']}, {times}."
    ties = {name: work for name, work in rivals.items() if name not in worse}
    others = ", ".join(work["cell"] for work in ties.values())
    besides = f"; worse than the best: {', '.join(work['cell'] for work in worse.values())}" if worse else ""
    if all(work["word"] == "equivalent" for work in ties.values()) and ties:
        return f"Take any of {cell}, {others}: equivalent, their works are within a factor of {first['margin']:g}; {cell} takes {needs}{besides}."
    seen = max((work["detectable"] for work in ties.values() if work["detectable"] is not None), default=None)
    would = f"; a ratio of {seen:.2f} would have been seen in 9 of 10 runs" if seen else ""
    return f"Nothing is entitled between {cell} and {others}{would}; {cell} takes {needs}{besides}."


def _said(row: Mapping[str, Any], *names: str) -> str:
    return " ".join(_ends(row, *names).split())


def _folded(spec: str) -> str:
    return spec.replace(":", ":\n").replace(",", ",\n")


def _below(entry: dict[str, Any], star: bool) -> str:
    """A mean with its interval below."""
    return _cell(entry).replace(" [", " ★\n[" if star else "\n[", 1).replace("; ", "\n")


def _costs(result: list[Entry], per: float, digits: int) -> list[str]:
    return ["" if r["seconds_per_gradient"] is None else f"{per * r['seconds_per_gradient']:.{digits}f}" for r in result]


def _remarks(console: Console, result: list[Entry], kind: str, nowhere: Mapping[str, str]) -> None:
    """What the numbers are, and what went wrong."""
    console.print(
        "A mean across seeds with its 95 % t interval; ★: better than every other: the ratio's or difference's interval, which holds for all pairs "
        "at once, excludes none; not where both are as good as exact draws.",
    )
    for r in result:
        if (reason := r.get("work", {}).get("reason")) and r["work"].get("bench", True) and reason != "a control":
            console.print(f"{r[kind]}: no work: {Ended(r['work']['status'], reason)}.")
    for reason, labels in itertools.groupby(sorted(nowhere, key=lambda label: nowhere[label]), key=lambda label: nowhere[label]):
        console.print(f"{reason}: {', '.join(labels)}.")
    for r in result:
        for reason, its in _reasons(r, nowhere).items():
            some = "" if len(its) == len(r["metrics"]) - len(nowhere) else f" ({', '.join(its)})"
            console.print(f"{r[kind]}: {reason}{some}.")
    unmixed = [r[kind] for r in result for m in r["metrics"] if m["metric"] == "rhat" and (m["mean"] or 0) > UNMIXED]
    if unmixed:
        console.print(f"Not mixed: R-hat above {UNMIXED} for {', '.join(unmixed)}; such numbers are of the start, too.")
    unknown = [(r[kind], next(iter(m["status"]))) for r in result for m in r["metrics"] if m["metric"] == "rhat" and m["mean"] is None]
    if unknown:
        console.print(f"Mixed or not: no R-hat for {'; '.join(f'{name} ({status})' for name, status in unknown)}.")


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


def _tuned(entry: Entry) -> str:
    """The learning rate, or what the loss tunes in its place."""
    values = entry.get("tuned", {"": entry["learning_rate"]})
    return ", ".join(f"{option} {value:g}".strip() for option, value in values.items() if value is not None)


def _cell(entry: dict[str, Any]) -> str:
    others = [f"{s.partition(': ')[0]} {n}/{sum(entry['status'].values())}" for s, n in entry["status"].items() if s != str(OK)]
    value = "" if entry["mean"] is None else f"{entry['mean']:.3g}"
    interval = "" if entry["low"] is None else f" [{entry['low']:.3g}, {entry['high']:.3g}]"
    return "; ".join(filter(None, [value + interval, *others]))
