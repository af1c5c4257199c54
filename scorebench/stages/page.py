"""The page: one file that opens offline, with claims, figures and tables."""

import base64
import re
from pathlib import Path
from typing import Any

import jinja2
import latex2mathml.converter

from scorebench import artifacts, registry, summary
from scorebench.plan import Plan
from scorebench.results import Results
from scorebench.stages.tables import wide

TABLES = (
    (
        "losses",
        "Losses",
        "Every trained source after its last step. A divergence to what the loss learns (its fixed point) is its quality alone.",
    ),
    (
        "samplers",
        "Samplers",
        "Every source and sampler after the whole budget, at its best step size. Rows without a model are on the exact score.",
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
        found=summary.best(results),
        claims=[_claim(c) for c in results.claims],
        figures=[_figure(name, folder) for name in plan.jobs("figure")],
        tables=[_table(results, *t) for t in TABLES],
        troubles=summary.troubles(results),
        manifest=results.manifest,
    )
    artifacts.write_bytes(folder / "index.html", page.encode())


def mathml(latex: str) -> str:
    """LaTeX as MathML. Raises ValueError where the converter would print a command as text, which it does without a word."""
    found = latex2mathml.converter.convert(latex, display="block")
    text = re.sub(r"&(#\\w+|lt|gt|amp);|&#x?[0-9A-Fa-f]+;|<[^>]*>", "", found)
    if "\\" in text or "&" in text:
        raise ValueError(f"LaTeX that does not convert to MathML: {latex}")
    return found


def _claim(claim: dict[str, Any]) -> dict[str, Any]:
    counted = [q for q in claim["quantities"] if q["group"] != "identity"]
    return claim | {
        "agreeing": sum(q["agrees"] for q in counted),
        "statement_mathml": mathml(claim["statement"]),
        "correction_mathml": mathml(claim["correction"]) if claim["correction"] else "",
    }


def _figure(name: str, folder: Path) -> dict[str, str]:
    facts = registry.entry("figure", name).facts
    png = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
    return {"name": name, "label": facts.get("LABEL", name), "caption": facts.get("CAPTION", ""), "png": png}


def _table(results: Results, name: str, title: str, caption: str) -> dict[str, Any]:
    table, keys = wide(name, results.table(name))
    rows = [[str(c).replace(" *", " ★") for c in row] for row in table.to_numpy().tolist()]
    return {"name": name, "title": title, "caption": caption, "columns": list(table.columns), "key_columns": keys, "rows": rows}
