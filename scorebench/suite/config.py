"""A suite, from YAML to frozen objects; every mistake is reported at once, before any compute."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scorebench.core import registry
from scorebench.core.errors import InputError, unknown
from scorebench.core.options import Count, Positive
from scorebench.core.spec import parse, parse_all


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    repeated = {v for v in values if values.count(v) > 1}
    if repeated:
        raise ValueError(f"{', '.join(map(str, sorted(repeated)))} given twice")
    return values


def _rises(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise strictly")
    return values


Some = Field(min_length=1)
Names = Annotated[tuple[str, ...], Some]
Levels = Annotated[tuple[Positive, ...], Some, AfterValidator(_unique)]
Steps = Annotated[tuple[Count, ...], Some, AfterValidator(_rises)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Sweep(_Strict):
    """The choice of the learning rate, alike for every loss: by validation after short runs on seeds of their own."""

    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=2), AfterValidator(_rises)]
    seeds: Annotated[int, Field(ge=2)] = 3
    steps: Count = 400


class Training(_Strict):
    """How every loss of a target is trained: the same points, steps and optimiser for all."""

    size: Count = 10_000
    batch: Count = 128
    steps: Steps = (1_500,)
    """Gradient steps at which the parameters are kept and measured; samplers use the last."""
    learning_rate: Positive = 3e-3
    """Of every loss, where there is no sweep."""
    sweep: Sweep | None = None


class Sampling(_Strict):
    """How a source is sampled: the samplers, the two grid axes, the budgets."""

    samplers: Names
    losses: Names | None = None
    """Of the trained sources, those of these losses; all of them where absent."""
    step_sizes: Levels
    temperatures: Levels = (1.0,)
    chains: Annotated[int, Field(ge=16)] = 128
    budgets: Steps = (50, 100, 200, 500)
    """Gradients a chain after which its state is kept and measured."""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else value


Blocks = Annotated[tuple[Sampling, ...], BeforeValidator(_several)]
"""One block, or a list of them."""


class Experiment(_Strict):
    """A target, what is trained on it, and how the exact score and the trained sources are sampled."""

    target: str
    seeds: Annotated[int, Field(ge=2)]
    training: Training = Training()
    sources: dict[str, Names] = {}
    """Model spec to loss specs."""
    exact: Blocks = ()
    trained: Blocks = ()


class Suite(_Strict):
    """One run of the workflow."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)]
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|mps)(:\d+)?$")] = "cpu"
    job_minutes: Positive = 30.0
    """A job that takes longer is stopped; its rows say `timeout`."""
    experiments: Annotated[tuple[Experiment, ...], Some]
    metrics: Names
    snapshots: Names | None = None
    """Of the metrics, those that are measured at every budget and not at the last alone; all of them where absent."""
    claims: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


def as_suite(plain: dict[str, Any]) -> Suite:
    """The suite that was written to a manifest."""
    return Suite.model_validate(_tuples(plain))


def _specs(raw: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Every list of specs in a suite as read, checked or not: where it stands, its kind, its texts."""
    experiments = [(f"experiments[{i}]", e) for i, e in enumerate(_list(raw.get("experiments"))) if isinstance(e, dict)]
    for kind, key in (("metric", "metrics"), ("metric", "snapshots"), ("claim", "claims"), ("figure", "figures")):
        yield key, kind, _texts(raw.get(key))
    yield "experiments", "target", _texts(tuple(e.get("target") for _, e in experiments))
    for where, e in experiments:
        sources = e["sources"] if isinstance(e.get("sources"), dict) else {}
        yield f"{where}.sources", "model", _texts(tuple(sources))
        for model, losses in sources.items():
            yield f"{where}.sources.{model}", "loss", _texts(losses)
        for key in ("exact", "trained"):
            single = isinstance(e.get(key), dict)
            for j, block in enumerate((e[key],) if single else _list(e.get(key))):
                at = f"{where}.{key}" if single else f"{where}.{key}[{j}]"
                if isinstance(block, dict):
                    yield f"{at}.samplers", "sampler", _texts(block.get("samplers"))
                    yield f"{at}.losses", "loss", _texts(block.get("losses"))


def _list(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()


def _texts(value: Any) -> list[str]:
    return [v for v in _list(value) if isinstance(v, str)]


class _Loader(yaml.SafeLoader):
    """YAML as a suite is read: `1e-3` is a number, and a key given twice is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not when the mapping is made: by then `<<` has put in the keys that it brings, which may be given again.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.repeated.append(f"line {key.start_mark.line + 1}: key {key.value!r} is given twice")
                seen.add(key.value)
        return node


_FLOAT = r"^[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?(?:[eE][-+]?\d+)$|^[-+]?\.\d+(?:[eE][-+]?\d+)?$"
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), list("-+0123456789."))


def load(path: str | Path) -> Suite:
    """Read and check a suite. Raises InputError with one line a mistake, each naming file, key, value and what is allowed."""
    path = Path(path)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        raw, lines = _tuples(loader.get_single_data()), loader.repeated
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path}: a suite is a mapping of keys (known: {', '.join(Suite.model_fields)})")
    return checked(raw, str(path), lines)


def checked(raw: dict[str, Any], name: str, lines: Sequence[str] = ()) -> Suite:
    """A suite from plain values, lists as tuples. Raises InputError with one line a mistake, after those known already, each beginning with `name`."""
    lines = list(lines)
    suite = None
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        lines += _explain(error, raw)
    misspelt = []
    for where, kind, texts in _specs(raw):
        try:
            parse_all(kind, texts)
        except InputError as error:
            misspelt += [f"{where}: {line}" for line in error.lines]
    for i, e in enumerate(_list(raw.get("experiments"))):
        if isinstance(e, dict) and e.get("trained") and not e.get("sources"):
            lines.append(f"experiments[{i}].trained: there is nothing trained to sample (add sources)")
    lines += misspelt or _unmet(raw)  # a method that is misspelt is not there to be needed
    if not lines and suite is not None:
        known = parse_all("metric", suite.metrics)
        lines += [unknown("snapshots: metric", s, suite.metrics) for s in suite.snapshots or () if parse("metric", s) not in known]
        lines += [line for i, e in enumerate(suite.experiments) for line in _impossible(f"experiments[{i}]", e)]
    if lines or suite is None:
        raise InputError(*(f"{name}: {line}" for line in dict.fromkeys(lines)))
    return suite


def _unmet(raw: dict[str, Any]) -> list[str]:
    """What a figure needs and no experiment has together: a method of some kind, by name, or any (an empty name)."""
    shared: dict[str, set[str]] = {}
    found: dict[str, dict[str, set[str]]] = {}
    for where, kind, texts in _specs(raw):
        for number, text in enumerate(texts):
            place = f"experiments[{number}]" if where == "experiments" else where.partition(".")[0]
            of = found.setdefault(place, {}) if place.startswith("experiments[") else shared
            of.setdefault(kind, set()).add(text.partition(":")[0])
    lines = []
    for figure in sorted(shared.get("figure", set()) & set(registry.names("figure"))):
        needs = registry.entry("figure", figure).facts.get("NEEDS", {}).items()
        needs = [(kind, name) for kind, names in needs for name in ([names] if isinstance(names, str) else names)]
        if not any(all(_has(of | shared, kind, name) for kind, name in needs) for of in found.values()):
            wanted = " and ".join(f"the {kind} {name!r}" if name else f"a {kind}" for kind, name in needs)
            lines.append(f"figures: {figure!r} needs {wanted}, which no experiment has together")
    return lines


def _has(present: dict[str, set[str]], kind: str, name: str) -> bool:
    return name in present.get(kind, set()) if name else bool(present.get(kind))


def _impossible(where: str, e: Experiment) -> Iterator[str]:
    """What an experiment asks for that cannot be: a loss on a model that it cannot train, a source that is not trained, a cell twice."""
    sources = [(parse("model", m), loss) for m, texts in e.sources.items() for loss in parse_all("loss", texts)]
    for model, loss in sources:
        needs, gives = (s.entry.facts.get(fact, set()) for s, fact in ((loss, "NEEDS"), (model, "GIVES")))
        if ("model.noise_levels" in needs) != ("noise_levels" in gives):
            wanted = "with" if "model.noise_levels" in needs else "without"
            fit = [
                n
                for n in registry.names("model")
                if ("noise_levels" in registry.entry("model", n).facts.get("GIVES", ())) == (wanted == "with")
            ]
            yield f"{where}.sources.{model}: loss {str(loss)!r} needs a model {wanted} noise levels (known: {', '.join(fit)})"
    trained = {loss for _, loss in sources}
    cells: set[tuple[Any, ...]] = set()
    for key, blocks in (("exact", e.exact), ("trained", e.trained)):
        budgets: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for j, block in enumerate(blocks):
            asked = parse_all("loss", block.losses) if block.losses else trained
            names = [str(loss) for loss in asked] if key == "trained" else ["the exact score"]
            for name in sorted(set(names) - set(map(str, trained))) if key == "trained" else ():
                yield unknown(f"{where}.{key}[{j}].losses:", name, map(str, trained))
            for name, sampler in itertools.product(names, parse_all("sampler", block.samplers)):
                at = f"{where}.{key}[{j}]: sampler {str(sampler)!r} on {name}"
                mine = {(key, name, sampler, c, t) for c in block.step_sizes for t in block.temperatures}
                if mine & cells:
                    yield f"{at}: a step size and temperature that stand in an earlier block"
                cells |= mine
                if budgets.setdefault((name, sampler), (block.chains, block.budgets)) != (block.chains, block.budgets):
                    yield f"{at}: chains and budgets that differ from an earlier block's"


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return {k: _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value


def _explain(error: ValidationError, raw: Any) -> list[str]:
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
            lines.append(f"{where} is missing")
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


def _model_at(location: tuple[Any, ...]) -> type[BaseModel]:
    models: dict[str, type[BaseModel]] = {
        "experiments": Experiment,
        "training": Training,
        "sweep": Sweep,
        "exact": Sampling,
        "trained": Sampling,
    }
    named = [p for p in location if p in models]
    return models[named[-1]] if named else Suite


__all__ = ["Experiment", "Sampling", "Suite", "Training", "as_suite", "load"]
