"""Lists of methods in a suite that say `all`, or patterns such as `sliced*`: the names that they stand for."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from scorebench.core import registry
from scorebench.core.errors import unknown

ALL = "all"
MARKS = frozenset("*?[")
SHARED = {"metrics": "metric", "claims": "claim", "figures": "figure"}
"""The suite's own lists, by kind."""


def expanded(raw: Mapping[str, Any], lines: list[str]) -> dict[str, Any]:
    """A suite as read, lists as tuples, with names for patterns; a line is added for each that matches nothing.

    Of a name with options, `sliced*:probe=gaussian`, the name is matched. `snapshots` are matched with the suite's metrics, and the `losses` of a block with
    those that the experiment trains, options and all. What a pattern brings that stands in the list already is not brought again.
    """
    suite = dict(raw)
    for key, kind in SHARED.items():
        if key in suite:
            suite[key] = _of_kind(suite[key], kind, key, lines)
    if "snapshots" in suite:
        suite["snapshots"] = _of(suite["snapshots"], _texts(suite.get("metrics")), "snapshots: metric", lines)
    if isinstance(suite.get("experiments"), tuple):
        suite["experiments"] = tuple(_experiment(e, f"experiments[{number}]", lines) for number, e in enumerate(suite["experiments"]))
    return suite


def _experiment(raw: Any, where: str, lines: list[str]) -> Any:
    if not isinstance(raw, dict):
        return raw
    experiment = dict(raw)
    trained: list[str] = []
    if isinstance(experiment.get("sources"), dict):
        sources = {model: _of_kind(losses, "loss", f"{where}.sources.{model}", lines) for model, losses in experiment["sources"].items()}
        experiment["sources"] = sources
        trained = [text for losses in sources.values() for text in _texts(losses)]
    for key in ("exact", "trained", "work"):
        if isinstance(experiment.get(key), tuple):
            experiment[key] = tuple(_block(block, trained, f"{where}.{key}[{j}]", lines) for j, block in enumerate(experiment[key]))
        elif key in experiment:
            experiment[key] = _block(experiment[key], trained, f"{where}.{key}", lines)
    return experiment


def _block(raw: Any, trained: list[str], where: str, lines: list[str]) -> Any:
    if not isinstance(raw, dict):
        return raw
    block = dict(raw)
    if "samplers" in block:
        block["samplers"] = _of_kind(block["samplers"], "sampler", f"{where}.samplers", lines)
    if "losses" in block:
        block["losses"] = _of(block["losses"], trained, f"{where}.losses: loss", lines)
    return block


def _of_kind(value: Any, kind: str, where: str, lines: list[str]) -> Any:
    return _of(value, registry.names(kind), f"{where}: {kind}", lines, by_name=True)


def _of(value: Any, known: list[str], what: str, lines: list[str], by_name: bool = False) -> Any:
    """The list with names for its patterns; anything else as it is, which its type will not allow."""
    if value == ALL:
        return tuple(dict.fromkeys(known))
    if not isinstance(value, tuple):
        return value
    listed: list[Any] = []
    for text in value:
        pattern, colon, options = text.partition(":") if by_name and isinstance(text, str) else (text, "", "")
        if not (isinstance(pattern, str) and MARKS.intersection(pattern)):
            listed.append(text)
            continue
        names = [name for name in known if fnmatchcase(name, pattern)]
        if not names:
            lines.append(unknown(what, pattern, known).replace("is unknown", "matches none"))
            listed.append(text)
        listed += [name + colon + options for name in names if name + colon + options not in (*value, *listed)]
    return tuple(listed)


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, tuple) else []
