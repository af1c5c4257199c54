"""What a run found and what it cost, in a few lines for the terminal, the page and the README."""

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from scorebench.core.errors import InputError
from scorebench.core.spec import parse
from scorebench.engine.attempt import OK
from scorebench.stages.tables import ALPHA, claims_shown, markdown
from scorebench.store import artifacts
from scorebench.store.results import Results

README_FIGURES = ("annealed_against_plain", "noise_levels")


def show(folder: Path, since: float, cores: int) -> None:
    """Print what to use, what was found, what went wrong with its log, what a whole run cost, and the page's path."""
    results = Results(folder)
    lines = [f"{r['target']}, {r['what']}: {r['choice']}; {r['evidence']}; {_with_ties(r, 1)}" for r in recommendations(results)]
    lines += _verdicts(results.claims) + troubles(results)
    if diverged := divergences(results):
        lines.append(f"diverged: {len(diverged)} combinations of target, source and sampler at some of their steps (the page lists them)")
    cost = _cost(results, since, cores)
    if cost:
        artifacts.write_json(folder / "run.json", cost)
        lines.append(
            f"{cost['jobs']} jobs in {cost['wall_seconds'] / 60:.1f} min on {cores} cores; compute {cost['compute_share']:.2f} of cores x wall; "
            f"at most {cost['peak_memory_mb']:.0f} MB a job"
        )
    print("\n".join([*lines, f"page: {folder / 'index.html'}"]))


def _verdicts(claims: list[dict[str, Any]]) -> list[str]:
    """How many claims have which verdict, and which have another than was registered."""
    if not claims:
        return []
    counts = ", ".join(f"{n} {word}" for word, n in Counter(c["verdict"].partition(":")[0] for c in claims).most_common())
    other = [c for c in claims if c["verdict"] != c["expected"]]
    lines = [f"claim {c['id']}: {c['verdict']}, registered {c['expected']}" for c in other if not c["verdict"].startswith("failed")]
    return [
        f"{len(claims)} claim{'s' if len(claims) > 1 else ''}: {counts}; {len(claims) - len(other)} as registered before measuring",
        *lines,
    ]


def recommendations(results: Results) -> list[dict[str, Any]]:
    """For each target the leading loss, sampler on the exact score, and trained source with its sampler; the evidence; which rivals are as good."""
    losses, samplers = results.table("losses"), results.table("samplers")
    exact = samplers["model"].isna()
    order = [str(m.target) for m in results.plan.measures]
    found: list[dict[str, Any]] = []
    questions = (("loss", losses), ("sampler, on the exact score", samplers[exact]), ("loss with its sampler", samplers[~exact]))
    for what, table in questions:
        for _, row in table[table["leads"]].iterrows():
            rivals = table[(table["target"] == row["target"]) & (table["metric"] == row["metric"]) & table["p_leader"].notna()]
            tied = [_choice(r) for _, r in rivals[rivals["p_leader"] >= ALPHA].iterrows()]
            said = "no rival"
            if len(rivals):
                others = "its one rival" if len(rivals) == 1 else f"each of {len(rivals)} rivals"
                said = f"tied with {len(tied)} of {len(rivals)}" if tied else f"significantly better than {others}"
            number = f"{parse('metric', row['metric']).label} {row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
            if pd.notna(row.get("floor_q95")):
                number += f" (95 % of exact draws: below {row['floor_q95']:.2g})"
            number += f", {row['seeds']} seeds{_mixed(table, row)}"
            who = {"spec": row["target"], "target": parse("target", row["target"]).label, "what": what}
            found.append(who | {"choice": _choice(row), "evidence": number, "rivals": said, "tied": tied, "best": bool(row["best"])})
    return sorted(found, key=lambda r: order.index(r["spec"]))


def _mixed(table: pd.DataFrame, row: pd.Series) -> str:
    """R-hat of a row of the samplers' table, where it was measured."""
    if "sampler" not in table:
        return ""
    same = table[table["metric"] == "rhat"]
    for key in ("target", "model", "loss", "sampler", "temperature"):
        same = same[(same[key] == row[key]) | (same[key].isna() & pd.isna(row[key]))]
    return f"; R-hat {same['mean'].iloc[0]:.2f}" if len(same) and pd.notna(same["mean"].iloc[0]) else ""


def _with_ties(recommendation: dict[str, Any], most: int) -> str:
    """How a choice stands against its rivals, with the names of at most so many that are as good."""
    tied = recommendation["tied"]
    more = [f"{len(tied) - most} more"] if len(tied) > most else []
    return ": ".join(filter(None, [recommendation["rivals"], "; ".join([*tied[:most], *more])]))


def _choice(row: pd.Series) -> str:
    parts = []
    if pd.notna(row["loss"]):
        parts.append(f"{parse('loss', row['loss']).label} ({parse('model', row['model']).label})")
    if "sampler" in row:
        spec = parse("sampler", row["sampler"])
        parts.append(spec.label + (", denoised," if spec.options.get("denoise") else "") + f" at step {row['step_size']:g}")
    return " with ".join(parts)


def divergences(results: Results) -> list[str]:
    """What diverged, a line a target and method, with the steps."""
    return _bad(results, "diverged", lambda of: "")


def troubles(results: Results) -> list[str]:
    """What failed or ran out of time, a line a target and method or a claim or figure, with its log."""
    lines = _bad(results, "failed|timeout", lambda of: f"; see {_log(results, of)}")
    status = {c["id"]: c["verdict"] for c in results.claims if c["verdict"].startswith("failed")}
    for figure in results.plan.jobs("figure"):
        timing = results.folder / "timings" / "figure" / f"{figure}.json"
        status[figure] = json.loads(timing.read_text())["status"] if timing.exists() else OK
    for name, word in status.items():
        if word != OK:
            kind = "figure" if name in results.plan.jobs("figure") else "claim"
            log = next(batch[0] for batch in results.plan.batches(kind) if name in batch)
            lines.append(f"{kind} {name}: {word}; see {results.folder / 'logs' / kind / log}.log")
    return lines


def _bad(results: Results, status: str, log: Callable[[pd.DataFrame], str]) -> list[str]:
    key, lines = ["target", "sampler", "loss"], []
    rows = results.metrics[~results.metrics["status"].str.startswith("not_applicable")]
    for of, every in rows.groupby(key, sort=False):
        bad = every[every["status"].str.match(status)]
        if bad.empty:
            continue
        target, sampler, loss = map(str, of)
        kinds = bad["status"].str.partition(":")[0].value_counts()
        steps = sorted(bad["step_size"].dropna().unique())
        where = f" at step {', '.join(f'{s:g}' for s in steps)}" if 0 < len(steps) <= 8 else ""
        what = f"{sampler} on {loss or 'the exact score'}" if sampler else loss or "all of it"
        counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        lines.append(f"{target}, {what}{where}: {counts}, of {len(every):,} values{log(bad)}")
    return lines


def _log(results: Results, bad: pd.DataFrame) -> Path:
    """The log of the job that went wrong: where only some metrics of a method did, the measuring."""
    target, sampler, loss = (str(bad[c].iloc[0]) for c in ("target", "sampler", "loss"))
    rows = results.metrics
    whole = rows[(rows["target"] == target) & (rows["sampler"] == sampler) & (rows["loss"] == loss)]
    logs, slug = results.folder / "logs", parse("target", target).slug
    measured = logs / "measure" / f"{slug}.log"
    if bad["metric"].nunique() < whole["metric"].nunique():
        return measured
    if sampler:
        return logs / "sample" / slug / f"{parse('sampler', sampler).slug}.log"
    trained = (t.id for t in results.plan.trains.values() if t.target.slug == slug and loss in map(str, t.losses))
    return next((logs / "train" / f"{job}.log" for job in trained), measured)


def _cost(results: Results, since: float, cores: int) -> dict[str, Any] | None:
    """What the run cost, if all of its jobs ran since then; None after a partial run."""
    entries = [json.loads(p.read_text()) for p in (results.folder / "timings").rglob("*.json")]
    if not since or any(e["started"] < since for e in entries):
        return None
    wall = max(e["ended"] for e in entries) - since
    alone = [e for e in entries if e["stage"] not in ("claim", "figure")]
    compute = sum(e["seconds"] for e in entries)
    return {
        "jobs": len(alone) + sum(len(results.plan.batches(stage)) for stage in ("claim", "figure")),
        "cores": cores,
        "wall_seconds": wall,
        "compute_seconds": compute,
        "compute_share": compute / (cores * wall),
        "peak_memory_mb": max(e["peak_memory_mb"] for e in entries),
    }


# --- the README -----------------------------------------------------------------------------------------------------------------------


def write_readme(folder: Path, readme: Path) -> None:
    """Rewrite the README's marked parts from a run's outputs; its figures are those of the reference."""
    results = Results(folder)
    figures = folder.parent / "reference" / folder.name / "figures"
    parts = {
        "figure": "\n".join(f"![{name.replace('_', ' ')}]({figures.as_posix()}/{name}.png)" for name in README_FIGURES),
        "times": _times(folder.parent),
        "tables": _tables(results, figures),
    }
    text = readme.read_text()
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
        r = json.loads(path.read_text())
        time = (
            f"{r['wall_seconds'] / 60:.1f} min on {r['cores']} cores"
            if r["wall_seconds"] > 90
            else f"{r['wall_seconds']:.0f} s on {r['cores']} cores"
        )
        lines.append(f"| `{path.parent.name}` | {r['jobs']} | {time} | {r['compute_share']:.2f} | {r['peak_memory_mb']:.0f} MB |")
    tests = root / "tests.xml"
    if tests.exists():
        suite = ElementTree.parse(tests).getroot().find("testsuite")
        assert suite is not None
        lines.append(f"| `make test`, after its set-up | {suite.get('tests')} tests | {float(suite.get('time', 'nan')) / 60:.1f} min | | |")
    return "\n".join([*lines, "", "Measured on the machine of the last run, imports not counted as compute."])


def _tables(results: Results, figures: Path) -> str:
    found = [r | {"rivals": _with_ties(r, 2)} for r in recommendations(results)]
    use = pd.DataFrame([{k: r[k] for k in ("target", "what", "choice", "evidence", "rivals")} for r in found])
    table = results.table("claims")
    claims = claims_shown(table)
    claims["the statement"] = [f"[{label}]({file})" for label, file in zip(table["label"], table["file"], strict=True)]
    overview = (
        f"![all claims at a glance]({figures.as_posix()}/claims_overview.png)\n\n"
        if "claims_overview" in results.plan.suite.figures
        else ""
    )
    return f"**What to use**\n\n{markdown(use)}\n**Claims**\n\n{overview}{markdown(claims)}".rstrip()
