"""Collect a run: every row in one file, what each job cost, what the run rests on, and the tables with their intervals.

The CSV tables are long, one number with its interval a row; Markdown and LaTeX show the same, a metric a column.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scorebench.core import registry
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.engine.attempt import OK
from scorebench.report import decomposition, statistics
from scorebench.store import artifacts
from scorebench.store.provenance import manifest, timings
from scorebench.store.results import WHOLE
from scorebench.suite.plan import Plan

ALPHA = 0.05
SEEN = 4.0
"""How many times what 95 % of exact draws give a metric must be for samples that nothing was done to, to rank samplers by it."""
CELL = ["target", "model", "loss", "sampler", "temperature"]
KEYS = {"losses": ["target", "model", "loss"], "samplers": ["target", "model", "loss", "sampler", "temperature", "step_size"]}


def run(plan: Plan, folder: Path) -> None:
    """Write metrics.csv, timings.csv, tables/ and manifest.json."""
    rows = pd.concat([artifacts.read_rows(folder / "measure" / f"{job}.csv.gz") for job in plan.jobs("measure")])
    rows = rows.astype({c: "Int64" for c in WHOLE})  # a column with gaps is read as floats: 500.0 steps
    claims = [json.loads((folder / "claims" / f"{job}.json").read_text()) for job in plan.jobs("claim")]
    metrics = parse_all("metric", plan.suite.metrics)
    chosen = at_best_steps(rows, metrics)
    tables = {
        "losses": losses(rows, metrics),
        "samplers": samplers(chosen, metrics),
        "decomposition": decomposition.decompose(chosen, metrics),
        "learning_rates": _learning_rates(plan, folder),
        "claims": _claims(claims, plan),
    }
    shown = {name: wide(name, tables[name])[0] for name in KEYS} | {"claims": claims_shown(tables["claims"])}
    shown |= {"decomposition": decomposition.wide(tables["decomposition"]), "learning_rates": tables["learning_rates"]}
    files = {"metrics.csv": rows.to_csv(index=False)}
    for name, table in tables.items():
        files[f"tables/{name}.csv"] = table.to_csv(index=False)
        files[f"tables/{name}.md"] = markdown(shown[name])
        files[f"tables/{name}.tex"] = latex(shown[name])
    for name, text in files.items():
        artifacts.write_bytes(folder / name, text.encode())
    artifacts.write_bytes(folder / "timings.csv", timings(folder).to_csv(index=False).encode())
    checksums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    artifacts.write_json(folder / "manifest.json", manifest(plan) | {"sha256": checksums})


# --- what the tables say --------------------------------------------------------------------------------------------------------------


def losses(rows: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """Every trained source after its last step, with `best` where every rival on the target is significantly worse."""
    about = [m for m in metrics if m.entry.facts.get("ABOUT") == "source"]
    of_source = rows[rows["metric"].isin([str(m) for m in about]) & rows["sampler"].isna() & rows["loss"].notna()]
    last = of_source[of_source["train_steps"] == of_source.groupby("target")["train_steps"].transform("max")]
    table = _summaries(last, ["target", "model", "loss", "sigma", "train_steps"])
    return _mark_best(table, last[_competes(last["loss"])], ["model", "loss"], lambda of: [m for m in about if _lower(m)])


def _competes(losses: pd.Series) -> pd.Series:
    """A loss that is given the true score is a yardstick, not a competitor."""
    yardstick = [loss for loss in losses.dropna().unique() if "target.score" in parse("loss", loss).entry.facts.get("NEEDS", ())]
    return ~losses.isin(yardstick)


def samplers(chosen: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """Every source and sampler at each temperature, after the whole budget, from the rows `at_best_steps`.

    The best on the exact score and the best of a trained source with its sampler are found apart; controls do not compete.
    """
    table = _summaries(chosen, [*CELL, "step_size", "steps", "gradient_evaluations"])
    controls = [s for s in chosen["sampler"].unique() if parse("sampler", s).entry.facts.get("START") == "target"]
    rivals = chosen[(chosen["temperature"] == 1) & (chosen["gradient_evaluations"] > 0) & ~chosen["sampler"].isin(controls)]
    exact, method = rivals["model"].isna(), ["model", "loss", "sampler", "temperature"]
    telling = {target: _telling(of, metrics) for target, of in chosen.groupby("target")}
    for of in (rivals[exact], rivals[~exact & _competes(rivals["loss"])]):
        table = _mark_best(table, of, method, telling.__getitem__)
    return table


def at_best_steps(rows: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """The rows after the whole budget at each method's best step size, on the seeds that had no say in it.

    The step is chosen on the first half of the seeds, by the suite's first metric that has a floor, is better when lower, has values on the
    target and sees there that the control which does nothing is far off (`_telling`); the rows are those of the rest. Where there is no such metric
    nothing is chosen, and every step is kept.
    """
    about = {str(m) for m in metrics if m.entry.facts.get("ABOUT", "sampler") == "sampler"}
    of_sampler = rows[rows["sampler"].notna() & rows["metric"].isin(about)]
    whole = of_sampler[of_sampler["steps"].isna() | (of_sampler["steps"] == _longest(of_sampler))]
    half = (whole.groupby("target")["seed"].transform("max") + 1) // 2
    best = [_best_steps(of, CELL, _telling(of, metrics)) for _, of in whole[whole["seed"] < half].groupby("target", sort=False)]
    steps = pd.concat(best) if best else whole[[*CELL, "step_size"]]
    return whole[whole["seed"] >= half].merge(steps, on=[*CELL, "step_size"])


def _telling(rows: pd.DataFrame, metrics: list[Spec]) -> list[Spec]:
    """The metrics that can rank samplers on one target: with a floor, better when lower, and SEEN times it for a sampler that has done nothing.

    A narrow kernel in many dimensions has no neighbours: it takes the prior for the target. All are kept where no such control was sampled.
    """
    floored = [m for m in metrics if m.entry.facts.get("FLOOR") and _lower(m)]
    facts = {s: parse("sampler", s).entry.facts for s in rows["sampler"].unique()}
    idle = [s for s, f in facts.items() if f.get("GRADIENTS") == 0 and not f.get("EXACT")]
    control = rows[rows["sampler"].isin(idle) & (rows["temperature"] == 1) & (rows["status"] == OK)].groupby("metric")
    means = control[["value", "floor_q95"]].mean() if idle else pd.DataFrame()
    return [m for m in floored if str(m) in means.index and means["value"][str(m)] > SEEN * means["floor_q95"][str(m)]] or floored


def _lower(metric: Spec) -> bool:
    return metric.entry.facts.get("DIRECTION") == "lower"


def _best_steps(rows: pd.DataFrame, cell: list[str], criteria: list[Spec]) -> pd.DataFrame:
    """For each cell of one target the step size with the smallest mean of the first criterion that has values there."""
    steps = [*cell, "step_size"]
    measured = set(rows.loc[rows["status"] == OK, "metric"])
    criterion = next((str(m) for m in criteria if str(m) in measured), None)
    if criterion is None:
        return rows[steps].drop_duplicates()
    of = rows[rows["metric"] == criterion]
    # A step that diverged on one seed is not chosen while another did not.
    of = of.assign(value=of["value"].where(of["status"] == OK, np.inf))
    scores = of.groupby(steps, dropna=False, sort=False)["value"].mean().reset_index()
    return scores.sort_values("value", kind="stable").drop_duplicates(cell)[steps]


def _longest(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby(["target", "model", "loss", "sampler"], dropna=False)["steps"].transform("max")


def _summaries(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    found = []
    for key, of in rows.groupby([*keys, "metric"], dropna=False, sort=False):
        spec = parse("metric", of["metric"].iloc[0])
        ok = of[of["status"] == OK]
        interval = statistics.t_interval(ok["value"].to_numpy(float), log=bool(spec.entry.facts.get("LOG")))
        counts = Counter(str(s) for s in of["status"] if s != OK)
        status = "; ".join(s if s.startswith("not_applicable") else f"{s} {n}/{len(of)}" for s, n in counts.items())
        entry = dict(zip([*keys, "metric"], key, strict=True)) | interval._asdict() | {"seeds": len(ok), "status": status}
        if spec.entry.facts.get("FLOOR"):
            entry |= {c: of[c].dropna().iloc[0] if of[c].notna().any() else np.nan for c in ("floor_mean", "floor_q95")}
        found.append(entry)
    columns = [*keys, "metric", "mean", "low", "high", "seeds", "status"]
    return pd.DataFrame(found, columns=columns + [c for c in ("floor_mean", "floor_q95") if any(c in e for e in found)])


def _mark_best(table: pd.DataFrame, rivals: pd.DataFrame, method: list[str], criteria: Callable[[str], list[Spec]]) -> pd.DataFrame:
    """Add `leads`, the lowest mean on a target by the first of its criteria that has values there, `best`, where that is significant, and `p_leader`.

    `p_leader` is each rival's, across seeds (`statistics.leader`); 1 where both are below the floor, as good as exact draws. A method with a seed that
    is not `ok` neither leads nor is a rival.
    """
    if "leads" not in table:
        table = table.assign(leads=False, best=False, p_leader=np.nan)
    for target, here in rivals.groupby("target", sort=False):
        for metric in criteria(str(target)):
            of = here[here["metric"] == str(metric)]
            log = bool(metric.entry.facts.get("LOG"))
            of = of[of.groupby(method, dropna=False)["status"].transform(lambda s: (s == OK).all())].sort_values("seed")
            groups = {k: g["value"].to_numpy(float) for k, g in of.groupby(method, dropna=False, sort=False)}
            if not groups:
                continue
            leader, against = statistics.leader(groups, log)
            if "floor_q95" in of:
                means = of.groupby(method, dropna=False, sort=False)[["value", "floor_q95"]].mean()
                low = {k: v <= q for k, v, q in zip(groups, means["value"], means["floor_q95"], strict=True)}
                against = {rival: 1.0 if low[leader] and low[rival] else p for rival, p in against.items()}
            here_too = (table["target"] == target) & (table["metric"] == str(metric))
            table.loc[here_too & _is(table, method, leader), ["leads", "best"]] = True, bool(against) and max(against.values()) < ALPHA
            for rival, p in against.items():
                table.loc[here_too & _is(table, method, rival), "p_leader"] = p
            break
    return table


def _is(table: pd.DataFrame, columns: list[str], values: tuple[Any, ...]) -> pd.Series:
    at = pd.Series(True, index=table.index)
    for column, value in zip(columns, values, strict=True):
        at &= (table[column] == value) | (table[column].isna() & (value != value))
    return at


def _learning_rates(plan: Plan, folder: Path) -> pd.DataFrame:
    """What was swept, each loss's validation value at each rate, and the rate that was chosen."""
    found = []
    for train in plan.trains.values():
        _, meta = artifacts.read_arrays(folder / "train" / f"{train.id}.npz")
        sweep = {loss: {float(rate): values for rate, values in of.items()} for loss, of in meta["sweep"].items()}
        for (loss, of), best in zip(sweep.items(), statistics.lowest(sweep), strict=True):
            for rate, values in of.items():
                interval = statistics.t_interval([np.nan if v is None else v for v in values])
                who = {"target": str(train.target), "model": str(train.model), "loss": loss, "learning_rate": rate}
                found.append(who | interval._asdict() | {"seeds": len(values), "chosen": rate == best})
    return pd.DataFrame(found, columns="target model loss learning_rate mean low high seeds chosen".split())


def _claims(claims: list[dict[str, Any]], plan: Plan) -> pd.DataFrame:
    found, figures = [], plan.figure_of_claim
    for c in claims:
        entry = {k: c[k] for k in ("id", "label", "source", "expected", "verdict")} | counts(c)
        telling: dict[str, Any] = telling_number(c) or {}
        entry |= {"number": telling.get("name")} | {k: telling.get(k) for k in ("predicted", "measured", "standard_error")}
        places = {"file": registry.entry("claim", c["id"]).file, "numbers": f"claims/{c['id']}.json"}
        found.append(entry | places | {"figure": f"figures/{figures[c['id']]}.pdf" if c["id"] in figures else ""})
    columns = (
        "id label source expected verdict stated stated_agree corrected corrected_agree number predicted measured standard_error".split()
    )
    return pd.DataFrame(found, columns=[*columns, "file", "numbers", "figure"])


def counts(claim: dict[str, Any]) -> dict[str, int]:
    """How many numbers follow from a claim's statement and from what holds instead, and how many of each agree."""
    counted = [q for q in claim["quantities"] if q["group"] != "identity"]
    corrected = [q["agrees"] for q in counted if q["group"] == "corrected"]
    stated = [q["agrees"] for q in counted if q["group"] != "corrected"]
    return {"stated": len(stated), "stated_agree": sum(stated), "corrected": len(corrected), "corrected_agree": sum(corrected)}


def telling_number(claim: dict[str, Any]) -> dict[str, Any] | None:
    """The first number that the statement gets wrong; the leading one where it gets none wrong; None if nothing was measured."""
    stated = [q for q in claim["quantities"] if q["group"] not in ("identity", "corrected")]
    wrong = (q for q in stated if not q["agrees"])
    return next(wrong, None) or next((q for q in claim["quantities"] if q["name"] == claim["leading"]), None)


def claims_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table of claims as a reader wants it."""
    shown = table[["label", "verdict"]].rename(columns={"label": "the statement"})
    for column, of in (("as written", "stated"), ("corrected", "corrected")):
        shown[column] = [f"{agree} of {n}" if n else "" for agree, n in zip(table[f"{of}_agree"], table[of], strict=True)]
    numbers = {"number": "a number that tells", "predicted": "it says", "measured": "measured", "standard_error": "standard error"}
    return shown.join(table[list(numbers)].rename(columns=numbers))


# --- how they are shown ---------------------------------------------------------------------------------------------------------------


def wide(name: str, table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """A row a method, a column a metric; and the number of key columns.

    A cell is a mean with its interval, in parentheses the floor (the 95 % quantile of the metric between two exact draws of that size) where
    lower is better, what went wrong, and a star for best.
    """
    keys = KEYS[name]
    table = table.assign(status=table["status"].fillna(""))
    cells = table.assign(cell=[_cell(row) for _, row in table.iterrows()], **{k: table[k].map(_key) for k in keys})
    order = cells.drop_duplicates(keys)[keys]
    metrics = list(dict.fromkeys(cells["metric"]))
    found = cells.pivot_table(index=keys, columns="metric", values="cell", aggfunc="first").reindex(columns=metrics).reset_index()
    found = order.merge(found, on=keys, how="left")
    return found.rename(columns={m: parse("metric", m).label.replace("_", " ") for m in metrics}).fillna(""), len(keys)


def _key(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _cell(row: pd.Series) -> str:
    if row["status"].startswith("not_applicable"):
        return "-"
    value = "" if pd.isna(row["mean"]) else f"{row['mean']:.3g}"
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:.3g}, {row['high']:.3g}]"
    has_floor = value and pd.notna(row.get("floor_q95")) and _lower(parse("metric", row["metric"]))
    floor = f" ({row['floor_q95']:.3g})" if has_floor else ""
    return "; ".join(filter(None, [value + interval + floor + (" *" if row.get("best") else ""), row["status"]]))


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.map(_key).to_numpy().tolist()]
    return "".join("| " + " | ".join(str(c).replace("|", "\\|") for c in line) + " |\n" for line in lines)


def latex(table: pd.DataFrame) -> str:
    """A LaTeX tabular for booktabs, in ASCII: a character without a command below is a question mark, since LaTeX would stop at it."""
    text = table.map(_key).to_latex(index=False, escape=True)
    for character, code in {"σ": r"$\sigma$", "²": "$^2$", "₂": "$_2$", "ä": r"\"a"}.items():
        text = text.replace(character, code)
    return text.encode("ascii", "replace").decode()
