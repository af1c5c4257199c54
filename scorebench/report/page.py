"""The page: one file that opens offline, with claims, figures and tables."""

import base64
import html
import io
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import latex2mathml.converter
import pandas as pd
from PIL import Image

from scorebench.claims.lib.slips import SLIPS
from scorebench.core import registry
from scorebench.core.spec import parse
from scorebench.report import decomposition, summary
from scorebench.stages.tables import counts, telling_number, wide
from scorebench.store import artifacts
from scorebench.store.results import Results
from scorebench.suite.plan import Plan

TABLES = (
    (
        "losses",
        "Losses",
        "Every trained source after its last step. A divergence to what the loss learns (its fixed point) is its quality "
        "alone. A star: better than every rival beyond chance.",
    ),
    (
        "samplers",
        "Samplers",
        "Every source and sampler after the whole budget, at its best step size. In parentheses the floor: 95 % of exact "
        "draws of that size are below. A star: better than every rival beyond chance, at T = 1.",
    ),
)


def run(plan: Plan, folder: Path) -> None:
    """Write index.html."""
    results = Results(folder)
    template = Path(__file__).with_name("page.html.j2").read_text()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = lambda x: "" if x is None else f"{x:.4g}"
    page = environment.from_string(template).render(
        suite=plan.suite.name,
        recommendations=_by_target(summary.recommendations(results)),
        claims=[_claim(c, plan.figure_of_claim) for c in results.claims],
        verdicts=Counter(c["verdict"] for c in results.claims).most_common(),
        as_expected=sum(c["verdict"] == c["expected"] for c in results.claims),
        slips=[s._asdict() | {"printed": mathml(s.printed), "meant": mathml(s.meant)} for s in SLIPS],
        figures=[_figure(name, folder) | {"of_claims": bool(plan.claims_of_figure(name))} for name in plan.jobs("figure")],
        tables=[_table(results, *t) for t in TABLES] + [_decomposition(results)],
        methods=_methods(plan),
        divergences=summary.divergences(results),
        troubles=summary.troubles(results),
        manifest=results.manifest,
    )
    artifacts.write_bytes(folder / "index.html", page.encode())


def mathml(latex: str) -> str:
    """LaTeX as MathML. Raises ValueError where the converter would print a command as text, which it does without a word."""
    found = latex2mathml.converter.convert(latex, display="block")
    text = html.unescape(re.sub(r"<[^>]*>", "", found))
    if "\\" in text or "&" in text:
        raise ValueError(f"LaTeX that does not convert to MathML: {latex}")
    return found


def _claim(claim: dict[str, Any], figures: dict[str, str]) -> dict[str, Any]:
    numbers = counts(claim)
    telling = telling_number(claim)
    return claim | {
        "as_written": f"{numbers['stated_agree']} of {numbers['stated']}" if numbers["stated"] else "",
        "corrected": f"{numbers['corrected_agree']} of {numbers['corrected']}" if numbers["corrected"] else "",
        "telling": telling,
        "statement_mathml": mathml(claim["statement"]),
        "correction_mathml": mathml(claim["correction"]) if claim["correction"] else "",
        "derivation": registry.entry("claim", claim["id"]).doc,
        "file": registry.entry("claim", claim["id"]).file,
        "figure": figures.get(claim["id"], ""),
        "evidence": telling if telling and not telling["agrees"] else None,
    }


def _by_target(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"label": of[0]["target"], "spec": spec, "rows": of} for spec, of in ((k, list(g)) for k, g in groupby(rows, lambda r: r["spec"]))
    ]


def _methods(plan: Plan) -> list[dict[str, Any]]:
    """The equations of the losses and samplers that the suite uses."""
    used = {
        "Losses": {loss.name: loss for t in plan.trains.values() for loss in t.losses},
        "Samplers": {s.sampler.name: s.sampler for s in plan.samples.values()},
    }
    found = []
    for title, specs in used.items():
        facts = [(name, spec.entry.facts) for name, spec in specs.items() if "EQUATION" in spec.entry.facts]
        shown = [
            {"name": name, "label": name.replace("_", " "), "mathml": mathml(f["EQUATION"]), "reference": f["REFERENCE"]}
            for name, f in facts
        ]
        found.append({"title": title, "methods": shown})
    return found


def _figure(name: str, folder: Path) -> dict[str, Any]:
    facts = registry.entry("figure", name).facts
    small = io.BytesIO()
    with Image.open(folder / "figures" / f"{name}.png") as image:
        image.convert("RGB").quantize(256).save(small, "png")  # a third of the size
        width = round(0.6 * image.width)  # all figures are shown at one scale, so that their letters have one size
    shown = {"name": name, "label": facts.get("LABEL", name), "caption": facts.get("CAPTION", "")}
    return shown | {"png": base64.b64encode(small.getvalue()).decode(), "width": width}


def _table(results: Results, name: str, title: str, caption: str) -> dict[str, Any]:
    table, keys = wide(name, results.table(name))
    source = table.pop("model").str.cat(table.pop("loss"), " · ").replace(" · ", "exact score")
    table.insert(1, "source", source)
    columns = [{"temperature": "T", "step_size": "step"}.get(c, c) for c in table.columns[1:]]
    return {"name": name, "title": title, "caption": caption, "columns": columns, "key_columns": keys - 2, "groups": _groups(table)}


def _decomposition(results: Results) -> dict[str, Any]:
    table = decomposition.wide(results.table("decomposition"))
    return {
        "name": "decomposition",
        "title": "Error decomposed",
        "caption": "The trained source's own error (MALA with small steps from exact draws: the loss's part), what the sampler adds to it, paired "
        "seed by seed, both together, and the same sampler on the exact score; at the best step, with 95 % intervals.",
        "columns": [{"step_size": "step"}.get(c, c) for c in table.columns[1:]],
        "key_columns": len(decomposition.KEYS),
        "groups": _groups(table),
    }


def _groups(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"label": parse("target", str(t)).label, "spec": t, "rows": [[_parts(str(c)) for c in row] for row in of.iloc[:, 1:].to_numpy()]}
        for t, of in table.groupby("target", sort=False)
    ]


def _parts(cell: str) -> dict[str, Any]:
    """A cell as its mean, and its interval and the rest, which stand below."""
    best = cell.endswith(" *")
    value, bracket, rest = cell.removesuffix(" *").partition(" [")
    rest = (bracket.strip() + rest).replace(", ", ",\N{NO-BREAK SPACE}")  # an interval is not broken, the floor may go below it
    return {"value": value + (" ★" if best else ""), "rest": rest, "best": best}
