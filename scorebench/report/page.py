"""The page: one file that opens offline, with claims, figures and tables."""

from __future__ import annotations

import base64
import html
import io
import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import jinja2
import latex2mathml.converter
import pandas as pd
from PIL import Image

from scorebench.claims.lib.slips import SLIPS
from scorebench.core import registry
from scorebench.core.schema import ClaimResult
from scorebench.core.spec import Spec, parse, written
from scorebench.report import render
from scorebench.report.decomposition import KEYS
from scorebench.report.recommendations import recommendations, source
from scorebench.report.render import Cell
from scorebench.report.tables import counts, telling_number
from scorebench.report.troubles import divergences, inapplicable, troubles, unfloored
from scorebench.store.results import Results

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
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
        "Every source and sampler after the whole budget, at its best step size. In parentheses the floor: of exact draws of that "
        "size 95 % of means over as many seeds are below. A star: better than every rival beyond chance, at T = 1.",
    ),
)

CHANGED = ("likelihood-everywhere", "mode-natural", "x-to-zero", "wiener-derivative", "current-sign")
"""Claims whose expected verdict is not that which was registered before their first measurement."""


def page(plan: Plan, folder: Path) -> str:
    """The page as HTML."""
    results = Results(folder, plan)
    template = Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["told"] = render.Told.of
    claims = results.claims
    by_target = groupby(recommendations(results), lambda r: (r.target, r.spec))
    return environment.from_string(template).render(
        suite=plan.suite.name,
        recommendations=[{"label": label, "spec": spec, "rows": list(rows)} for (label, spec), rows in by_target],
        claims=[_claim(claim, plan.figure_of_claim) for claim in claims],
        verdicts=Counter(claim.verdict for claim in claims).most_common(),
        as_expected=sum(claim.verdict == claim.expected for claim in claims),
        changed=CHANGED,
        slips=[{name: _prose(text) for name, text in slip._asdict().items()} for slip in SLIPS],
        figures=[_figure(name, folder) | {"of_claims": bool(plan.claims_of_figure(name))} for name in plan.suite.figures],
        tables=[*(_table(results, *table) for table in TABLES), *_raced(results), _decomposition(results)],
        raced=bool(plan.works),
        methods=_methods(plan),
        tuned=any(sample.sampler.tuned for sample in plan.samples.values()),
        divergences=divergences(results),
        troubles=troubles(results, Path()),
        inapplicable=inapplicable(results),
        unfloored=unfloored(results),
        manifest=results.manifest,
    )


def mathml(latex: str, display: Literal["block", "inline"] = "block") -> str:
    """LaTeX as MathML. Raises ValueError where the converter would print a command as text, which it does without a word."""
    converted = latex2mathml.converter.convert(latex, display=display)
    text = html.unescape(re.sub(r"<[^>]*>", "", converted))
    if "\\" in text or "&" in text:
        raise ValueError(f"LaTeX that does not convert to MathML: {latex}")
    return converted


def _equation(latex: str, display: Literal["block", "inline"] = "block") -> str:
    """An equation as MathML; its source where that does not convert, since one method's slip must not cost the page."""
    try:
        return mathml(latex, display) if latex else ""
    except Exception:  # the converter has many
        return f"<code>{html.escape(latex)}</code>"


def _prose(text: str) -> str:
    """Text as HTML, LaTeX between $ as MathML; a $ without a partner is text."""
    words, *rest = text.split("$")
    if len(rest) % 2:
        return html.escape(text)
    return html.escape(words) + "".join(
        _equation(latex, "inline") + html.escape(after) for latex, after in zip(rest[::2], rest[1::2], strict=True)
    )


def _claim(claim: ClaimResult, figures: dict[str, str]) -> dict[str, Any]:
    numbers = counts(claim)
    telling = telling_number(claim)
    entry = registry.entry("claim", claim.id)
    return claim.as_json() | {
        "as_written": f"{numbers['stated_agree']} of {numbers['stated']}" if numbers["stated"] else "",
        "corrected": f"{numbers['corrected_agree']} of {numbers['corrected']}" if numbers["corrected"] else "",
        "telling": telling,
        **{f"{name}_html": _prose(getattr(claim, name)) for name in ("quote", "translation", "statement", "correction")},
        "derivation": entry.doc,
        "file": entry.file,
        "figure": figures.get(claim.id, ""),
        "beyond": claim.source.startswith("beyond the article"),
        "evidence": telling if telling and not telling.agrees else None,
    }


def _methods(plan: Plan) -> list[dict[str, Any]]:
    """The equations of the losses and samplers that the suite uses."""
    used = {
        "Losses": {loss.name: loss for t in plan.trains.values() for loss in t.losses},
        "Samplers": {sampler.name: sampler for sampler in plan.methods if sampler.kind == "sampler"},
    }
    return [
        {
            "title": title,
            "methods": [
                {
                    "name": name,
                    "mathml": _equation(facts["EQUATION"]),
                    "reference": facts.get("REFERENCE", ""),
                }
                for name, facts in ((name, spec.entry.facts) for name, spec in specs.items())
                if "EQUATION" in facts
            ],
        }
        for title, specs in used.items()
    ]


def _figure(name: str, folder: Path) -> dict[str, Any]:
    facts = registry.entry("figure", name).facts
    small = io.BytesIO()
    with Image.open(folder / "figures" / f"{name}.png") as image:
        image.convert("RGB").quantize(256).save(small, "png")  # a third of the size
        width = round(0.6 * image.width)  # all figures are shown at one scale, so that their letters have one size
    shown = {"name": name, "label": facts.get("LABEL", name), "caption": facts.get("CAPTION", "")}
    return shown | {"png": base64.b64encode(small.getvalue()).decode(), "width": width}


def _table(results: Results, name: str, title: str, caption: str) -> dict[str, Any]:
    table = _labelled(render.wide(name, results.table(name)))
    columns = [{"temperature": "T", "step_size": "step"}.get(c, c) for c in table.columns[1:]]
    keys = len(render.KEYS[name]) - 2
    return {"name": name, "title": title, "caption": caption, "columns": columns, "key_columns": keys, "groups": _groups(table)}


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """Labels for specs of sources and samplers, as figures have them; of two samplers of a target that have one label, the specs."""
    table = table.copy()
    if "sampler" in table:
        labels = {text: _at_options(parse("sampler", text)) for text in table["sampler"].unique()}
        for _, here in table.groupby("target"):
            named = [labels[text] for text in here["sampler"].unique()]
            alike = {text for text in here["sampler"].unique() if named.count(labels[text]) > 1}
            table.loc[here.index, "sampler"] = [text if text in alike else labels[text] for text in here["sampler"]]
    if "loss" in table:
        sources = [source(model, loss) or "exact score" for model, loss in zip(table.pop("model"), table.pop("loss"), strict=True)]
        table.insert(1, "source", sources)
    return table


def _at_options(sampler: Spec) -> str:
    return ", ".join([sampler.label, *(f"{name.replace('_', ' ')} {written(value)}" for name, value in sampler.tuned.items())])


def _raced(results: Results) -> list[dict[str, Any]]:
    """The tables of the comparison by work, where the suite has one."""
    if not results.plan.works:
        return []
    accuracy, work = results.plan.suite.accuracy, results.table("work")
    starts = {str(target): f"all from {start}" for target, start in zip(work["target"], work["start"], strict=True) if start}
    captions = (
        f"Work is how many gradients a chain takes until the largest squared bias over a panel of functions (coordinates, their squares, log p, weights and "
        f"widths of modes), in units of the law's own variance, is below {accuracy.epsilon:g} for good; every method is at its best step and options, and all "
        "start alike. Better: every interval of its ratios to the others excludes 1, all together at 95 %; worse: that to the best does; equivalent: it lies "
        f"within {accuracy.margin:g} times either way; undecided: else, and what would be seen is the ratio that 9 of 10 runs tell from 1.",
        "The same cells from exact draws on: the largest bias of the panel, in standard deviations of the law, and the fewest effective draws a gradient, by "
        "the spread of time averages across chains; no number where a chain is worth fewer than ten.",
    )
    shown = {
        name: _labelled(render.SHOWN[name](results.table(name))).rename(columns={"step_size": "step"}) for name in ("work", "equilibrium")
    }
    return [
        {
            "name": name,
            "title": title,
            "caption": caption,
            "columns": list(table.columns[1:]),
            "key_columns": 2,
            "groups": _groups(table, starts),
        }
        for (name, table), title, caption in zip(shown.items(), ("Samplers by work", "In equilibrium"), captions, strict=True)
    ]


def _decomposition(results: Results) -> dict[str, Any]:
    table = _labelled(render.decomposition(results.table("decomposition")))
    table["metric"] = [parse("metric", text).label for text in table["metric"]]
    return {
        "name": "decomposition",
        "title": "Error decomposed",
        "caption": "The error of the trained source's own law, by quadrature (where that cannot be had, by MALA with small steps from exact draws), is "
        "the loss's part. Beside it: what the sampler adds, seed by seed; both together; and the same sampler on the exact score. At the best step, with 95 % "
        "intervals.",
        "columns": [{"step_size": "step"}.get(c, c) for c in table.columns[1:]],
        "key_columns": len(KEYS) - 1,
        "groups": _groups(table),
    }


def _groups(table: pd.DataFrame, notes: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, Any]]:
    return [
        {
            "label": parse("target", str(target)).label,
            "spec": ", ".join(filter(None, [str(target), notes.get(str(target), "")])),
            "rows": [[_shown(value) for value in row] for row in rows.iloc[:, 1:].to_numpy()],
        }
        for target, rows in table.groupby("target", sort=False)
    ]


def _shown(value: str | Cell) -> dict[str, Any]:
    """A key, or a mean with its interval and the rest, which stand below."""
    if isinstance(value, str):
        return {"value": value, "rest": "", "best": False}
    rest = (
        "; ".join(value.rest).replace(", ", ",\N{NO-BREAK SPACE}").replace("e-", "e-\N{WORD JOINER}")
    )  # an interval is not broken, the floor may go below it
    return {"value": value.value + (" ★" if value.best else ""), "rest": rest, "best": value.best}
