"""A suite, from YAML to frozen objects; every mistake is reported at once, before any compute."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from scorebench import registry
from scorebench.errors import InputError, unknown
from scorebench.options import Count, Positive
from scorebench.spec import Spec, parse, parse_all


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
Names = Annotated[tuple[str, ...], Some, AfterValidator(_unique)]
Levels = Annotated[tuple[Positive, ...], Some, AfterValidator(_unique)]
Steps = Annotated[tuple[Count, ...], Some, AfterValidator(_rises)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Training(_Strict):
    """How every loss of a target is trained: the same points, steps and optimiser for all."""

    size: Count = 10_000
    batch: Count = 128
    steps: Steps = (1_500,)
    """Gradient steps at which the parameters are kept and measured; samplers use the last."""
    learning_rate: Positive = 3e-3


class Sampling(_Strict):
    """How a source is sampled: the samplers, the two grid axes, the budgets."""

    samplers: Names
    step_sizes: Levels
    temperatures: Levels = (1.0,)
    chains: Annotated[int, Field(ge=16)] = 128
    budgets: Steps = (50, 100, 200, 500)
    """Gradients a chain after which its state is kept and measured."""


class Experiment(_Strict):
    """A target, what is trained on it, and how the exact score and the trained sources are sampled."""

    target: str
    seeds: Annotated[int, Field(ge=2)]
    training: Training = Training()
    sources: dict[str, Names] = {}
    """Model spec to loss specs."""
    exact: Sampling | None = None
    trained: Sampling | None = None


class Suite(_Strict):
    """One run of the workflow."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: Annotated[int, Field(ge=0)]
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|mps)(:\d+)?$")] = "cpu"
    job_minutes: Positive = 30.0
    """A job that takes longer is stopped; its rows say `timeout`."""
    experiments: Annotated[tuple[Experiment, ...], Some]
    metrics: Names
    claims: Annotated[tuple[str, ...], AfterValidator(_unique)] = ()
    figures: Annotated[tuple[str, ...], AfterValidator(_unique)] = ()

    def specs(self) -> Iterator[tuple[str, str, tuple[str, ...], Callable[[], list[Spec]]]]:
        """Every list of specs in the suite: where it stands, its kind, its texts, and how to parse them."""
        yield from _group("metrics", "metric", self.metrics)
        yield from _group("claims", "claim", tuple(c.replace("-", "_") for c in self.claims))
        yield from _group("figures", "figure", self.figures)
        yield from _group("experiments", "target", tuple(e.target for e in self.experiments))
        for i, e in enumerate(self.experiments):
            yield from _group(f"experiments[{i}].sources", "model", tuple(e.sources))
            for model, losses in e.sources.items():
                yield from _group(f"experiments[{i}].sources.{model}", "loss", losses)
            for where in ("exact", "trained"):
                plan = getattr(e, where)
                if plan:
                    yield from _group(f"experiments[{i}].{where}.samplers", "sampler", plan.samplers)


def _group(where: str, kind: str, texts: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[str, ...], Callable[[], list[Spec]]]]:
    yield where, kind, texts, lambda: parse_all(kind, texts)


class _Loader(yaml.SafeLoader):
    """YAML as a suite is read: `1e-3` is a number, and a key given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for (key_node, _), key in zip(node.value, keys, strict=True):
            if keys.count(key) > 1:
                raise InputError(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice")
        return super().construct_mapping(node, deep)


_FLOAT = r"^[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?(?:[eE][-+]?\d+)$|^[-+]?\.\d+(?:[eE][-+]?\d+)?$"
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", __import__("re").compile(_FLOAT), list("-+0123456789."))


def load(path: str | Path) -> Suite:
    """Read and check a suite. Raises InputError with one line a mistake, each naming file, key, value and what is allowed."""
    path = Path(path)
    try:
        raw = yaml.load(path.read_text(), _Loader)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except InputError as error:
        raise InputError(*(f"{path}: {line}" for line in error.lines)) from None
    if not isinstance(raw, dict):
        raise InputError(f"{path}: a suite is a mapping of keys (known: {', '.join(Suite.model_fields)})")
    lines = []
    try:
        suite = Suite.model_validate(_tuples(raw))
    except ValidationError as error:
        raise InputError(*(f"{path}: {line}" for line in _explain(error, raw))) from None
    for where, _, _, parse_group in suite.specs():
        try:
            parse_group()
        except InputError as error:
            lines += [f"{path}: {where}: {line}" for line in error.lines]
    if lines:
        raise InputError(*lines)
    return suite


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return {k: _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value


def _explain(error: ValidationError, raw: dict[str, Any]) -> list[str]:
    lines = []
    for item in error.errors():
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in item["loc"]).lstrip(".")
        if item["type"] == "extra_forbidden":
            parent = _model_at(item["loc"][:-1])
            lines.append(unknown(f"{where}: key", item["loc"][-1], parent.model_fields))
        elif item["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            given = item["input"]
            shown = "nan" if isinstance(given, float) and math.isnan(given) else repr(given)
            lines.append(f"{where} = {shown}: {item['msg']}")
    return lines


def _model_at(location: tuple[Any, ...]) -> type[BaseModel]:
    models: dict[str, type[BaseModel]] = {"experiments": Experiment, "training": Training, "exact": Sampling, "trained": Sampling}
    named = [p for p in location if p in models]
    return models[named[-1]] if named else Suite


__all__ = ["Experiment", "Sampling", "Suite", "Training", "load", "parse", "registry"]
