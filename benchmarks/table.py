"""The tables of a run, and the part of the README that they are."""

from pathlib import Path

import pandas as pd

from benchmarks.contest import COVERAGE
from scorebench.report import render

COLUMNS = {
    "scorebench": ("scorebench",),
    "torchebm": ("torchebm", "torchebm, autograd"),
    "torchebm, analytic gradient": ("torchebm, analytic",),
    "ebmkit": ("ebmkit",),
    "JAX; blackjax": ("JAX", "blackjax, over JAX"),
    "compiled by hand": ("by hand", "by hand, plain", "by hand, unrolled"),
}
"""The README's columns, by the contestants of which the fastest stands there; the others are in speed.csv."""
FLOOR = "compiled by hand"
"""No library, so that it does not win."""
WHY = {
    "chains": "above 16,384 chains they run in blocks of 16,384, so a step takes no more memory; below 10,000 the overhead of calls dominates"
}
"""Why times grow as they do along an axis, where the words changed after it was measured."""


def summary(rows: pd.DataFrame) -> str:
    """One work, a line a contestant."""
    lines = [f"{rows['label'].iloc[0]}, {rows['unit'].iloc[0]}"]
    for row in rows.itertuples():
        if row.status != "ok":
            lines.append(f"  {row.contestant:36} {row.status}")
        else:
            ratio = f"times scorebench {row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]"
            lines.append(f"  {row.contestant:36} {row.median:9.3g} [{row.low:.3g}, {row.high:.3g}]  {ratio}")
    return "\n".join(lines)


def readme(folder: Path) -> str:
    """The README's part, of what the folder of a run holds: the CPU's, and under it what was measured on others: a folder each, by its name."""
    parts = {"speed": _speed, "starts": _starting, "slopes": _scaling}
    texts = [show(pd.read_csv(folder / f"{name}.csv")) for name, show in parts.items() if (folder / f"{name}.csv").exists()]
    texts += [f"On another machine ({path.parent.name}):\n\n{_speed(pd.read_csv(path))}" for path in sorted(folder.glob("*/speed.csv"))]
    return "\n\n".join(text.rstrip() for text in texts)


def _speed(speed: pd.DataFrame) -> str:
    lines = []
    for _, rows in speed.groupby("work", sort=False):
        line = {"work": f"{rows['label'].iloc[0]}, {rows['unit'].iloc[0]}"}
        best = _best(rows)
        medians = {column: row["median"] for column, row in best.items() if row["status"] == "ok" and column != FLOOR}
        for column, row in best.items():
            cell = _cell(row, column)
            line[column] = f"**{cell}**" if len(medians) > 1 and column == min(medians, key=medians.__getitem__) else cell
        lines.append(line)
    table = render.markdown(pd.DataFrame([dict.fromkeys(("work", *COLUMNS), "") | line for line in lines]))
    return f"{table}\n{_words(speed)}"


def _best(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Of each column the fastest, or who was not timed."""
    best = {}
    for column, names in COLUMNS.items():
        its = rows[rows["contestant"].isin(names)].sort_values("median", na_position="last")
        if len(its):
            best[column] = its.iloc[0]
    return best


def _cell(row: pd.Series, column: str) -> str:
    if row["status"] != "ok":
        return str(row["status"])
    time = f"{row['median']:.3g}"
    return time if column == "scorebench" else f"{time} ({row['ratio']:.2f} [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}])"


def _words(speed: pd.DataFrame) -> str:
    timed = speed[speed["status"].eq("ok")]
    faster = timed[timed["ratio_high"].lt(1) & timed["contestant"].isin([n for names in COLUMNS.values() for n in names])]
    first = timed.iloc[0]
    where = "" if first["device"] == "cpu" else f"{first['device']} and "
    who = [f"{row.contestant} at {row.work} ({row.ratio:.2f})" for row in faster.itertuples()]
    versions = str(first["versions"]).replace("scorebench -;", "scorebench from a checkout, which says no version;")
    busy = f"{timed['load'].median():.0f} other processes ran on the machine, of which {timed['cores'].max():.0f} cores were to be had"
    return (
        f"A cell: the median over {first['rounds']:.0f} alternating rounds and, in brackets, time over scorebench's in the same round, with an interval that "
        f"covers the median in {100 * COVERAGE:g} % of runs or more, whatever the law of times. Bold: the fastest library. "
        f"Significantly faster than scorebench: {', '.join(who) or 'nobody'}. On {where}one core of {first['cpu']}, while {busy}; {versions}."
    )


def _starting(starts: pd.DataFrame) -> str:
    wide = starts.pivot(index=["work", "contestant"], columns="cache", values="seconds").reset_index()
    wide = wide[wide[["cold", "warm"]].max(axis=1) > 0.5]
    text = "; ".join(f"{row.contestant} at {row.work} {row.cold:.1f} and {row.warm:.1f}" for row in wide.itertuples())
    return f"The first call in a new process takes longer than the second by so many seconds, without kernels on disk and with those of a run before: {text}."


def _scaling(slopes: pd.DataFrame) -> str:
    rows = [
        {
            "against": f"{law['label']}: {law['series']}",
            "slope": f"{law['slope']:.2f} [{law['slope_low']:.2f}, {law['slope_high']:.2f}] from {law['first']:,.0f} to {law['last']:,.0f}",
            "straight were": f"{law['ideal']:g}",
            "the fixed cost of a step is that of": f"{law['doubling']:,.0f}" if law["doubling"] else "",
            "why": WHY.get(law.get("axis", ""), law["why"]),
        }
        for law in slopes.to_dict("records")
    ]
    return f"Slopes of log time against log size:\n\n{render.markdown(pd.DataFrame(rows))}"
