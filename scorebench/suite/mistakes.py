"""What can be wrong with a suite, a line a mistake: key, value, what is allowed, the nearest match."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from scorebench.core import files, registry
from scorebench.core.errors import InputError, unknown
from scorebench.core.registry import AXES
from scorebench.core.spec import Spec, parse, parse_all, read
from scorebench.suite.config import Accuracy, Experiment, Race, Sampling, Sensitivity, Suite, Sweep, Training
from scorebench.suite.jobs import OF_SNAPSHOTS, a_round, floored, gives, gradients, ladder, over, samplers, to_the_end, trains, unwanted
from scorebench.suite.patterns import MARKS


def of_types(error: ValidationError, raw: Any) -> list[str]:
    """A line for each key that is unknown, missing, or has a value that its type does not allow."""
    lines = []
    for item in error.errors():
        where, value = "", raw
        for p in item["loc"]:
            if isinstance(p, str):
                where, value = f"{where}.{p}", value.get(p) if isinstance(value, dict) else None
            elif not isinstance(value, dict):  # else one block, which the suite's author did not write as a list
                where, value = f"{where}[{p}]", value[p] if isinstance(value, tuple) else None
        where = where.lstrip(".")
        given = item["input"]
        if item["type"] == "extra_forbidden":
            parent = _model_at(item["loc"][:-1])
            lines.append(unknown(f"{where}: key", item["loc"][-1], parent.model_fields))
        elif item["type"] == "missing":
            wanted = _model_at(item["loc"][:-1]).model_json_schema()["properties"][item["loc"][-1]]
            lines.append(f"{where} is missing (allowed: {_WORDS.get(wanted.get('type'), 'a mapping')})")
        elif item["type"] == "too_short" and any(e["loc"][: len(item["loc"])] == item["loc"] != e["loc"] for e in error.errors()):
            continue  # its items are there, and wrong: each has its own line
        else:
            shown = repr(given) if len(repr(given)) <= 80 else f"{repr(given)[:80]}..."
            message = _MESSAGES.get(item["type"], item["msg"].removeprefix("Value error, "))
            if item["type"] == "too_short":
                message = f"List should have {item['ctx']['min_length']} or more items"
            lines.append(f"{where} = {shown}: {message}")
    return lines


_MESSAGES = {
    "tuple_type": "Input should be a list",
    "dict_type": "Input should be a mapping",
    "model_type": "Input should be a mapping",
}


_WORDS = {"integer": "a whole number", "number": "a number", "string": "a text", "array": "a list"}
"""Of a JSON schema's types."""


def _model_at(location: tuple[Any, ...]) -> type[BaseModel]:
    models: dict[str, type[BaseModel]] = {
        "experiments": Experiment,
        "training": Training,
        "sweep": Sweep,
        "exact": Sampling,
        "trained": Sampling,
        "work": Race,
        "accuracy": Accuracy,
        "sensitivity": Sensitivity,
    }
    named = [p for p in location if p in models]
    return models[named[-1]] if named else Suite


class _Specs(NamedTuple):
    """A list of specs in a suite as read, checked or not."""

    where: str
    kind: str
    texts: list[str]
    experiments: tuple[int, ...]
    """The experiment that the list belongs to; none for what all share, -1 for what is none."""


def of_names(raw: dict[str, Any], told: Iterable[str] = ()) -> list[str]:
    """Methods and options that do not exist; what is asked of what is not there, but of lists that have been told to be none."""
    lines = []
    listed = list(_specs(raw))
    targets: set[Spec] = set()
    for specs in listed:
        try:
            parsed = parse_all(specs.kind, specs.texts)
        except InputError as error:
            lines += [f"{specs.where}: {line}" for line in error.lines]
            continue
        lines += [f"{specs.where}: {line}" for spec in parsed for line in _absent(spec)]
        if specs.kind == "target" and specs.experiments != (-1,):
            lines += [f"{specs.where}: target {specs.texts[0]!r} is given twice" for spec in parsed if spec in targets]
            targets.update(parsed)
    untrained = [
        f"experiments[{number}].trained: there is nothing trained to sample (add sources)"
        for number, experiment in enumerate(_list(raw.get("experiments")))
        if isinstance(experiment, dict) and experiment.get("trained") and experiment.get("sources", {}) == {}
    ]
    blocks = [block for number, e in _experiments(raw) for block in _blocks(f"experiments[{number}]", e)]
    lines += [line for block in blocks for line in _untuned(*block)]
    unread = any(line.startswith(("metrics", "experiments", "figures")) for line in told)
    return untrained + (lines or ([] if unread else _unmet(listed)))  # a method that is misspelt is not there to be needed


def _absent(spec: Spec) -> Iterator[str]:
    """Files that are not there."""
    for text in files.given(spec):
        try:
            files.beside(files.locate(text))
        except InputError as error:
            yield f"{spec.kind} {spec.name!r}: {error.lines[0]}"


MOST_JOBS, MOST_CELLS = 10_000, 100_000
"""Of a suite, trainings, samplers and measurements, and what these sample: `paper` has 500 and 3,000."""


def too_large(experiments: Iterable[Experiment], metrics: int) -> Iterator[str]:
    """A line for more jobs or cells than a workflow can hold, counted without making one."""
    jobs = cells = 0
    for e in experiments:
        losses = sum(map(len, e.sources.values()))
        jobs += losses * (1 + len(e.training.sizes)) + metrics
        for blocks, sources in ((e.exact, 1), (e.trained, losses), (e.work, 1)):
            for block in blocks:
                tuned = sum(
                    math.prod(len(values) for option, values in block.grid.items() if option in entry.facts.get("TUNES", ()))
                    for entry in filter(None, map(_entry, block.samplers))
                )
                jobs += tuned
                cells += tuned * len(block.step_sizes) * len(getattr(block, "temperatures", "1")) * sources
    for count, most, what in ((jobs, MOST_JOBS, "trainings, samplers and measurements"), (cells, MOST_CELLS, "cells to sample")):
        if count > most:
            yield f"experiments: {count:,} {what}, with every value of every grid (allowed: {most:,})"


def of_combinations(suite: Suite) -> list[str]:
    """What cannot go together in a suite whose every key is right, but within one experiment (`of_experiment`)."""
    metrics = parse_all("metric", suite.metrics)
    lines = [unknown("snapshots: metric", text, suite.metrics) for text in suite.snapshots or () if parse("metric", text) not in metrics]
    early = [str(metric) for metric in metrics if _of_snapshots(metric)]
    for metric in parse_all("metric", suite.snapshots or ()):
        if metric in metrics and not _of_snapshots(metric):
            lines.append(f"snapshots: metric {str(metric)!r} is measured once, at the end (allowed: {', '.join(early) or 'none'})")
    unable = [line for number, e in enumerate(suite.experiments) for line in _unable(f"experiments[{number}]", e, suite.metrics)]
    return [*lines, *_unmeasured(suite, metrics), *_undrawn(suite), *unable]


def of_experiment(where: str, e: Experiment) -> list[str]:
    """What cannot go together in an experiment whose every key is right."""
    unspread = list(_unspread(where, e))
    return [
        *_unread(where, e),
        *_no_smaller(where, e),
        *(unspread or (*_impossible(where, e), *_lacking(where, e), *_short(where, e), *_unfair(where, e))),
    ]


def _of_snapshots(metric: Spec) -> bool:
    """Whether a metric is measured before the end of a run, too."""
    return metric.entry.facts.get("ABOUT", "sampler") == "sampler" and OF_SNAPSHOTS.issuperset(metric.needs)


def _unmeasured(suite: Suite, metrics: list[Spec]) -> Iterator[str]:
    """A suite that makes nothing, or a sensitivity of nothing; a metric of what the suite does not make has no rows, and does no harm."""
    if suite.sensitivity and not floored(metrics):
        known = [name for name in registry.names("metric") if floored([Spec("metric", name)])]
        yield f"sensitivity: none of the metrics {', '.join(map(repr, suite.metrics))} has a floor (allowed: {', '.join(known)})"
    if not (suite.claims or suite.sensitivity or any(e.sources or e.exact or e.trained or e.work for e in suite.experiments)):
        yield "experiments: nothing is trained or sampled, and no claim is tested (add sources, exact, work, or claims)"


def _undrawn(suite: Suite) -> Iterator[str]:
    """Figures of a table that would be empty."""
    filled = {
        "tables/sensitivity.csv": ("sensitivity", suite.sensitivity),
        "tables/work.csv": ("a block work", any(e.work for e in suite.experiments)),
        "tables/learning_rates.csv": ("a sweep of the learning rate", any(e.sources and e.training.sweep for e in suite.experiments)),
    }
    for figure in suite.figures:
        for file in registry.entry("figure", figure).facts.get("READS", ()):
            wanted, there = filled.get(file, ("", True))
            if not there:
                yield f"figures: {figure!r} needs {wanted}, which the suite does not have"


def _unread(where: str, e: Experiment) -> Iterator[str]:
    """What is given and nothing would read."""
    if e.training.sweep and "learning_rate" in e.training.model_fields_set:
        yield f"{where}.training.learning_rate = {e.training.learning_rate:g}: the sweep chooses (allowed: learning_rate or sweep)"
    for j, block in enumerate(e.exact):
        if block.losses is not None:
            yield f"{where}.exact[{j}].losses = {', '.join(block.losses)}: the exact score has no loss (allowed: in trained)"


def _unable(where: str, e: Experiment, metrics: Sequence[str]) -> Iterator[str]:
    """What is to rank and is not measured, or cannot rank."""
    able = [text for text in metrics if floored([(metric := parse("metric", text))]) and metric.entry.facts["DIRECTION"] == "lower"]
    if e.rank_by is not None and e.rank_by not in able:
        yield unknown(f"{where}.rank_by: metric that can rank", e.rank_by, able)


def _untuned(place: str, block: dict[str, Any]) -> Iterator[str]:
    """Of a grid: options that no sampler of the block tunes, or that one gives itself, and values that their types do not allow."""
    texts = _texts(block.get("samplers"))
    entries = {text: entry for text in texts if (entry := _entry(text))}
    known = set().union(*(entry.facts.get("TUNES", ()) for entry in entries.values()))
    for option, values in _grid(block).items() if _list(block.get("samplers")) else ():
        if option in AXES:
            yield f"{place}.grid.{option}: has a key of its own (allowed: {option}s)"
        elif option not in known and len(entries) == len(texts) and not any(entry.error for entry in entries.values()):
            yield unknown(f"{place}.grid: tuned option", option, known)
        for text, entry in entries.items():
            if option not in entry.facts.get("TUNES", ()):
                continue
            if option in [item.partition("=")[0].strip() for item in text.partition(":")[2].split(",")]:
                yield f"{place}.samplers: sampler {text!r} gives {option}, and so does the grid (allowed: one of them)"
            for value in values:
                try:
                    read(entry.options[option], value) if isinstance(value, str) else entry.options[option].check(value)
                except ValidationError as error:
                    reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                    allowed = entry.options[option].allowed
                    yield f"{place}.grid.{option} = {value!r}: sampler {entry.name!r}: {reason} (allowed: {allowed})"


def _grid(block: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The axes of a block's grid as read, those that are none left out."""
    grid = block.get("grid")
    return {name: values for name, values in grid.items() if isinstance(name, str) and _list(values)} if isinstance(grid, dict) else {}


def _entry(sampler: str) -> registry.Entry | None:
    """What is known of the sampler that a text names; None if there is none."""
    try:
        return registry.entry("sampler", sampler.partition(":")[0])
    except InputError:
        return None


def _unspread(where: str, e: Experiment) -> Iterator[str]:
    """Values of a grid that do not go with other options of a sampler."""
    places: dict[str, tuple[Sampling | Race, ...]] = {"exact": e.exact, "trained": e.trained, "work": e.work}
    for key, blocks in places.items():
        for j, block in enumerate(blocks):
            try:
                samplers(block)
            except InputError as error:
                yield from (f"{where}.{key}[{j}].grid: {line}" for line in error.lines)


def _lacking(where: str, e: Experiment) -> Iterator[str]:
    """Samplers that are to read of the target itself what it lacks."""
    target = parse("target", e.target)
    lacks = set(target.entry.facts.get("LACKS", ()))

    def wanted(sampler: Spec) -> set[str]:
        return {member for owner, member in sampler.needs if owner == "source"} & lacks

    places: dict[str, tuple[Sampling | Race, ...]] = {"exact": e.exact, "work": e.work}
    for key, blocks in places.items() if lacks else ():
        for j, block in enumerate(blocks):
            for sampler in samplers(block):
                if members := wanted(sampler):
                    able = [name for name in registry.names("sampler") if not wanted(Spec("sampler", name))]
                    yield (
                        f"{where}.{key}[{j}].samplers: {str(sampler)!r} reads {' and '.join(sorted(members))}, which target {e.target!r} does not have "
                        f"(allowed: {', '.join(able)}; or in trained)"
                    )


def _short(where: str, e: Experiment) -> Iterator[str]:
    """Budgets that end before a sampler is through, and noise levels that the model has not been trained at."""
    sources = [(parse("model", model), loss) for model, texts in e.sources.items() for loss in parse_all("loss", texts)]
    for key, blocks in (("exact", e.exact), ("trained", e.trained)):
        for j, block in enumerate(blocks):
            for sampler in samplers(block):
                at = f"{where}.{key}[{j}]"
                if block.budgets[-1] < (least := a_round(sampler)):
                    yield f"{at}.budgets = {block.budgets[-1]}: sampler {str(sampler)!r} takes {least} gradients (allowed: {least} or more)"
                each = gradients(sampler)
                if block.budgets[-1] >= each > 1 and len({b // each for b in (0, *block.budgets)}) <= len(block.budgets):
                    shown = ", ".join(map(str, block.budgets))
                    yield f"{at}.budgets = {shown}: sampler {str(sampler)!r} takes {each} gradients a step (allowed: a step or more between them)"
                asked = parse_all("loss", block.losses) if block.losses else [loss for _, loss in sources]
                for has_levels in dict.fromkeys(s for pair in sources for s in pair if pair[1] in asked) if key == "trained" else ():
                    its = ladder(has_levels)
                    if its and (absent := [f"{level:g}" for level in ladder(sampler) if level not in its]):
                        known = ", ".join(f"{level:g}" for level in its)
                        yield (
                            f"{at}: sampler {str(sampler)!r} goes to noise levels that {str(has_levels)!r} does not have: {', '.join(absent)} "
                            f"(allowed: {known})"
                        )


def _no_smaller(where: str, e: Experiment) -> Iterator[str]:
    """Training sets that are not smaller than the whole."""
    for size in e.training.sizes:
        if size >= e.training.size:
            yield f"{where}.training.sizes: {size} is not allowed (allowed: less than size = {e.training.size})"


def _unfair(where: str, e: Experiment) -> Iterator[str]:
    """Of a comparison by work: budgets that no schedule fits into twice, samplers that start from the law, and one that stands in two blocks."""
    seen: set[Spec] = set()
    for j, block in enumerate(e.work):
        at = f"{where}.work[{j}]"
        for sampler in samplers(block):
            if block.budget < (least := 2 * to_the_end(sampler)):
                yield f"{at}.budget = {block.budget}: sampler {str(sampler)!r} takes {least // 2} gradients (allowed: twice as many or more)"
            if sampler.entry.facts.get("START") == "target":
                yield f"{at}.samplers: {str(sampler)!r} starts from exact draws, and all start alike here (allowed: in exact or trained)"
            if sampler in seen:
                yield f"{at}.samplers: {str(sampler)!r} stands in an earlier block"
            seen.add(sampler)


def _experiments(raw: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return [(number, e) for number, e in enumerate(_list(raw.get("experiments"))) if isinstance(e, dict)]


def _specs(raw: dict[str, Any]) -> Iterator[_Specs]:
    experiments = _experiments(raw)
    for kind, key in (("metric", "metrics"), ("metric", "snapshots"), ("claim", "claims"), ("figure", "figures")):
        yield _Specs(key, kind, _texts(raw.get(key)), ())
    sensitivity = raw.get("sensitivity")
    if isinstance(sensitivity, dict):
        yield _Specs("sensitivity.target", "target", _texts((sensitivity.get("target"),)), (-1,))
    for number, e in experiments:
        at = f"experiments[{number}]"
        yield _Specs(f"{at}.target", "target", _texts((e.get("target"),)), (number,))
        sources = e["sources"] if isinstance(e.get("sources"), dict) else {}
        yield _Specs(f"{at}.sources", "model", _texts(tuple(sources)), (number,))
        for model, losses in sources.items():
            yield _Specs(f"{at}.sources.{model}", "loss", _texts(losses), (number,))
        for place, block in _blocks(at, e):
            texts = _texts(block.get("samplers"))
            if not any(_untuned(place, block)):
                first = {option: values[:1] for option, values in _grid(block).items()}  # which a sampler may not do without
                texts = [text for name in texts for text in (over(first, (name,)) if _entry(name) else (name,))]
            yield _Specs(f"{place}.samplers", "sampler", texts, (number,))
            yield _Specs(f"{place}.losses", "loss", _texts(block.get("losses")), (number,))


def _blocks(at: str, e: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each block of an experiment stands, and what it says."""
    for key in ("exact", "trained", "work"):
        single = isinstance(e.get(key), dict)
        for j, block in enumerate((e[key],) if single else _list(e.get(key))):
            if isinstance(block, dict):
                yield f"{at}.{key}" if single else f"{at}.{key}[{j}]", block


def _list(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _texts(value: Any) -> list[str]:
    """The texts of a list but for patterns: those left match nothing, which has been told."""
    return [v for v in _list(value) if isinstance(v, str) and not MARKS.intersection(v.partition(":")[0])]


Methods = dict[str, set[str]]
"""Names by kind."""


def _unmet(listed: Iterable[_Specs]) -> list[str]:
    """What a figure uses and no experiment has together: a method of a kind, by name, or any (an empty name)."""
    shared: Methods = {}
    by_experiment: dict[int, Methods] = {}
    for specs in listed:
        names = [text.partition(":")[0] for text in specs.texts]
        home = by_experiment.setdefault(specs.experiments[0], {}) if specs.experiments else shared
        home.setdefault(specs.kind, set()).update(names)
    lines = []
    for figure in sorted(shared.get("figure", set()) & set(registry.names("figure"))):
        uses = [(kind, name) for kind, names in registry.entry("figure", figure).facts.get("USES", {}).items() for name in names]
        if not any(all(_has(methods | shared, kind, name) for kind, name in uses) for methods in by_experiment.values()):
            wanted = " and ".join(f"the {kind} {name!r}" if name else f"a {kind}" for kind, name in uses)
            lines.append(f"figures: {figure!r} needs {wanted}, which no experiment has together")
    return lines


def _has(methods: Methods, kind: str, name: str) -> bool:
    return name in methods.get(kind, set()) if name else bool(methods.get(kind))


_WANTED = {
    "log_prob": "that is an energy",
    "closed_form": "with a closed form",
    "noise_levels": "with noise levels",
    "given": "that is given",
}
_UNWANTED = {"noise_levels": "without noise levels", "given": "that is trained here"}
"""What a loss needs of a model, in words, and what it needs where it does not."""


def _impossible(where: str, e: Experiment) -> Iterator[str]:
    """What an experiment asks for that cannot be: a loss on a model that it cannot train, a source that is not trained, a cell twice."""
    pairs = [(parse("model", model), loss) for model, texts in e.sources.items() for loss in parse_all("loss", texts)]
    for model, loss in pairs:
        if not trains(loss, model):
            needs = {member for owner, member in loss.needs if owner == "model"}
            too_much = unwanted(needs) - ({"given"} - gives(model))
            words = [_WANTED.get(member, f"that gives {member}") for member in sorted(needs)] + [
                _UNWANTED[member] for member in sorted(too_much)
            ]
            wanted = " and ".join(words)
            fit = [
                name for name in registry.names("model") if not registry.entry("model", name).error and trains(loss, Spec("model", name))
            ]
            yield f"{where}.sources.{model}: loss {str(loss)!r} needs a model {wanted} (known: {', '.join(fit)})"
    trained = {loss for _, loss in pairs}
    cells: set[tuple[Any, ...]] = set()
    for key, blocks in (("exact", e.exact), ("trained", e.trained)):
        budgets: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for j, block in enumerate(blocks):
            asked = parse_all("loss", block.losses) if block.losses else trained
            names = [str(loss) for loss in asked] if key == "trained" else ["the exact score"]
            for name in sorted(set(names) - set(map(str, trained))) if key == "trained" else ():
                yield unknown(f"{where}.{key}[{j}].losses:", name, map(str, trained))
            for name, sampler in itertools.product(names, samplers(block)):
                at = f"{where}.{key}[{j}]: sampler {str(sampler)!r} on {name}"
                mine = {(key, name, sampler, c, t) for c in block.step_sizes for t in block.temperatures}
                if mine & cells:
                    yield f"{at}: a step size and temperature that stand in an earlier block"
                cells |= mine
                if budgets.setdefault((name, sampler), (block.chains, block.budgets)) != (block.chains, block.budgets):
                    yield f"{at}: chains and budgets that differ from an earlier block's"
