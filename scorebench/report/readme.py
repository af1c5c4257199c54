"""The parts of the README that come from a run's outputs."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from scorebench.core import sealed
from scorebench.core.errors import InputError
from scorebench.report import render
from scorebench.report.ranking import leaders
from scorebench.report.recommendations import recommendations
from scorebench.store import artifacts
from scorebench.store.results import Results

OF_RUN = ("wall_seconds", "compute_share", "peak_memory_mb", "jobs", "cores")
"""What is read of a run's cost."""
FIGURES = ("annealed_against_plain", "noise_levels")


def write_readme(folder: Path, readme: Path) -> None:
    """Rewrite the marked parts of the README; its figures are those of the reference."""
    results = Results(folder)
    figures = folder.parent / "reference" / folder.name / "figures"
    parts = {
        "figure": "\n".join(f"![{name.replace('_', ' ')}]({figures.as_posix()}/{name}.png)" for name in FIGURES),
        "times": _times(folder.parent),
        "tables": _tables(results, figures),
    }
    fill(readme, parts | ({"work": _work(results)} if results.plan.works else {}))


def fill(readme: Path, parts: Mapping[str, str]) -> None:
    """Rewrite parts of the README, each between its mark and the next end. Raises InputError where one does not stand there once."""
    try:
        text = readme.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{readme}: it is no UTF-8 text ({error.reason} at byte {error.start})") from None
    for name, content in parts.items():
        before, mark, rest = text.partition(f"<!-- run: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not mark or not end or mark in after:
            raise InputError(f"{readme}: '{mark.strip() or f'<!-- run: {name} -->'}' ... '<!-- end -->' must stand there once")
        text = f"{before}{mark}{content}\n{end}{after}"
    artifacts.write_bytes(readme, text.encode())


def _times(root: Path) -> str:
    lines = ["| what | jobs | time | compute of cores x wall | peak memory a job |", "|---|---|---|---|---|"]
    for path in sorted(root.glob("*/run.json")):
        run = sealed.read(path)
        if lacks := [key for key in OF_RUN if not isinstance(run.get(key), int | float)]:
            raise InputError(f"{path}: it has no number {lacks[0]!r} (allowed: as scorebench summary writes it)")
        seconds = run["wall_seconds"]
        time = f"{seconds / 60:.1f} min" if seconds > 90 else f"{seconds:.0f} s"
        cost = f"{run['compute_share']:.2f} | {run['peak_memory_mb']:.0f} MB"
        lines.append(f"| `{path.parent.name}` | {run['jobs']} | {time} on {run['cores']} cores | {cost} |")
    tests = root / "tests.xml"
    if tests.exists():
        try:
            suite = ElementTree.parse(tests).getroot().find("testsuite")
            counted = {} if suite is None else suite.attrib
            lines.append(f"| `make test`, after its set-up | {int(counted['tests'])} tests | {float(counted['time']) / 60:.1f} min | | |")
        except (ElementTree.ParseError, ValueError, KeyError, RecursionError) as error:
            raise InputError(f"{tests}: it is no report of tests as pytest writes it: {error} (allowed: remove it, or make test)") from None
    return "\n".join([*lines, "", "Imports are not counted as compute."])


def _work(results: Results) -> str:
    """A row a target: the sampler that takes the least work, the word that this is entitled to, and how the next one stands to it."""
    rows = [
        {
            "target": leader.label,
            "sampler": leader.choice,
            "work": leader.work,
            "word": leader.word,
            "its rivals": ": ".join(filter(None, [leader.against, *leader.others[:1]])),
            "squared bias left": leader.bias,
        }
        for leader in leaders(results.table("work"))
    ]
    return render.markdown(pd.DataFrame(rows)).rstrip()


def _tables(results: Results, figures: Path) -> str:
    use = [
        {"target": r.target, "what": r.what, "choice": r.choice, "evidence": r.evidence, "rivals": r.standing(2)}
        for r in recommendations(results)
    ]
    table = results.table("claims")
    claims = render.claims(table)
    claims["the statement"] = [f"[{label}]({file})" for label, file in zip(table["label"], table["file"], strict=True)]
    has_overview = "claims_overview" in results.plan.suite.figures
    overview = f"![all claims at a glance]({figures.as_posix()}/claims_overview.png)\n\n" if has_overview else ""
    return f"**What to use**\n\n{render.markdown(pd.DataFrame(use))}\n**Claims**\n\n{overview}{render.markdown(claims)}".rstrip()
