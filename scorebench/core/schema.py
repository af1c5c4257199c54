"""What stands in the files of a run: the columns of every table with their types, how a row can end, and a claim's numbers.

Text columns are never missing: "" where there is none, for example the model of an exact score. A status is written with its reason in one
column, `failed: why`, and is two columns, `status` and `reason`, in every frame that this package holds.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from scorebench.core.errors import InputError, NotApplicable

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema


class Status(StrEnum):
    """How a row, a job or a figure ended."""

    OK = "ok"
    DIVERGED = "diverged"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NOT_APPLICABLE = "not_applicable"
    NOT_REACHED = "not_reached"


class Ended(NamedTuple):
    """A status with its reason."""

    status: Status
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else str(self.status)

    @classmethod
    def read(cls, text: str) -> "Ended":
        """What `str` wrote. Raises ValueError for another status."""
        status, _, reason = text.partition(": ")
        return cls(Status(status), reason)


OK = Ended(Status.OK)
REASON = 160
"""Of what was raised, so many characters stand in the rows; all of it stands in the job's log."""


def raised(error: BaseException) -> Ended:
    """How a row ends whose method raised this: with its message, on one line."""
    try:
        message = " ".join(str(error).split())[:REASON]
    except Exception:  # it cannot even say what it is
        message = ""
    if isinstance(error, NotApplicable):
        return Ended(Status.NOT_APPLICABLE, message)
    return Ended(Status.FAILED, f"{type(error).__name__}: {message}" if message else type(error).__name__)


class Verdict(StrEnum):
    """What became of a claim; the rules stand in `claims.base`."""

    REPRODUCED = "reproduced"
    REFUTED = "refuted"
    QUALIFIED = "qualified"
    UNDERPOWERED = "underpowered"
    UNEXPLAINED = "unexplained"
    FAILED = "failed"


Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float; JSON has null for one that is not finite."""


@dataclass(frozen=True)
class Quantity:
    """A claim's prediction beside its measurement."""

    name: str
    group: str
    setting: Mapping[str, float | str]
    unit: str
    predicted: Number
    measured: Number
    standard_error: Number
    n: int | None
    """Independent units; None for a number without randomness."""
    tolerance: float
    agrees: bool


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its numbers and its verdict: claims/<id>.json."""

    id: str
    label: str
    source: str
    statement: str
    correction: str
    reference: str
    expected: str
    leading: str
    conditions: dict[str, bool]
    seed: int
    """The master seed."""
    verdict: Verdict
    reason: str
    """Of a verdict `failed`: what was raised, or that time ran out."""
    quantities: tuple[Quantity, ...]
    quote: str = ""
    """In the source's own words; "" of a claim that follows no text."""
    translation: str = ""

    def as_json(self) -> dict[str, Any]:
        """The result as plain dictionaries."""
        return asdict(self)


def claim_result(plain: object, path: object) -> ClaimResult:
    """What `as_json` gave, checked. Raises InputError, naming the file, for anything else."""
    try:
        return TypeAdapter(ClaimResult).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is not a claim's result: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


Column = Literal["text", "whole", "real", "flag", "status", "verdict"]
"""Text is "" where there is none, a whole number missing, a real one NaN."""


@dataclass(frozen=True)
class Table:
    """A table's columns in their order, and those that tell its rows apart, if any do."""

    columns: Mapping[str, Column]
    key: tuple[str, ...]

    @cached_property
    def schema(self) -> "DataFrameSchema":
        """The same for pandera, with a rule for statuses; imported here, since most jobs write no table."""
        import pandera.pandas as pa

        made = {
            "text": lambda: pa.Column(str),
            "whole": lambda: pa.Column("Int64", nullable=True),
            "real": lambda: pa.Column(float, nullable=True),
            "flag": lambda: pa.Column(bool),
            "status": lambda: pa.Column(str, pa.Check.isin([str(s) for s in Status])),
            "verdict": lambda: pa.Column(str, pa.Check.isin([str(v) for v in Verdict])),
        }
        checks = []
        if {"status", "value"} <= set(self.columns):
            checks.append(
                pa.Check(lambda rows: rows["value"].notna() | (rows["status"] != OK.status), error="a row that is ok has a value")
            )
        columns = {name: made[column]() for name, column in self.columns.items()}
        return pa.DataFrameSchema(columns, strict=True, ordered=True, coerce=True, unique=list(self.key) or None, checks=checks)

    def frame(self, rows: "Sequence[Mapping[str, Any]] | pd.DataFrame") -> "pd.DataFrame":
        """Rows as a table; a column that they lack is empty. Raises pandera's SchemaError for what is not allowed."""
        import pandas as pd

        frame = pd.DataFrame(rows).reindex(columns=list(self.columns)).astype(dict.fromkeys(self._texts, object))
        return self.schema.validate(frame.fillna(dict.fromkeys(self._texts, "")))

    def to_csv(self, frame: "pd.DataFrame") -> bytes:
        """A table as CSV, checked; a status and its reason in one column."""
        frame = self.schema.validate(frame)
        return (joined(frame) if "status" in frame else frame).to_csv(index=False).encode()

    def from_csv(self, content: bytes, path: object) -> "pd.DataFrame":
        """What `to_csv` wrote, checked. Raises InputError, naming the file, for another table."""
        from pandera.errors import SchemaError, SchemaErrors

        try:
            return self.schema.validate(self._read(content))
        except (SchemaError, SchemaErrors, ValueError) as error:
            first = error.schema_errors[0] if isinstance(error, SchemaErrors) else error
            raise InputError(f"{path} is not the table that a run writes: {' '.join(str(first).split())[:200]}") from None

    def from_parts(self, parts: "Mapping[Path, bytes]") -> "pd.DataFrame":
        """The rows of files that `to_csv` wrote, one after the other, checked together, which takes as long as one. Raises as `from_csv` does."""
        import pandas as pd
        from pandera.errors import SchemaError, SchemaErrors

        try:
            frames = [self._read(content) for content in parts.values()]
            if all(list(frame.columns) == list(self.columns) for frame in frames):
                return self.frame(pd.concat(frames, ignore_index=True) if frames else [])
        except (SchemaError, SchemaErrors, ValueError):
            pass
        return self.frame(pd.concat([self.from_csv(content, path) for path, content in parts.items()], ignore_index=True))

    def _read(self, content: bytes) -> "pd.DataFrame":
        import pandas as pd

        numbers = {name: [""] for name in self.columns if name not in self._texts}
        types = dict.fromkeys(self._texts, "str") | {name: "bool" for name, column in self.columns.items() if column == "flag"}
        frame = pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=numbers, dtype=types)
        if "status" not in frame:
            return frame
        ended = {text: Ended.read(text) for text in frame["status"].unique()}
        return frame.assign(
            status=[str(ended[text].status) for text in frame["status"]], reason=[ended[text].reason for text in frame["status"]]
        )

    @property
    def _texts(self) -> list[str]:
        return [name for name, column in self.columns.items() if column in ("text", "status", "verdict")]


def joined(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame with a status and its reason in one column, as files have it."""
    status = frame["status"].where(frame["reason"] == "", frame["status"] + ": " + frame["reason"])
    return frame.drop(columns="reason").assign(status=status)


def _all(column: Column, *names: str) -> dict[str, Column]:
    return dict.fromkeys(names, column)


SOURCE = _all("text", "target", "model", "loss")
INTERVAL = _all("real", "mean", "low", "high")
COUNTS = _all("whole", "seeds", Status.DIVERGED, Status.FAILED, Status.TIMEOUT, Status.NOT_APPLICABLE) | _all("text", "reason")
"""Of how many seeds a mean is; how many others ended how, and the first reason."""
RANK = _all("flag", "leads", "best") | _all("text", "word") | _all("real", "apart", "apart_low", "apart_high", "detectable")
"""To the best of the target by that metric: the ratio of a divergence, the difference of another metric."""

METRICS = Table(
    _all("text", "suite")
    | SOURCE
    | _all("whole", "train_size", "train_steps")
    | _all("text", "sampler")
    | _all("real", "sigma", "step_size", "temperature")
    | _all("whole", "steps", "gradient_evaluations", "chains", "seed")
    | _all("text", "metric")
    | _all("real", "value", "standard_error", "floor_mean", "floor_sd", "floor_q95", "z")
    | _all("status", "status")
    | _all("text", "reason"),
    ("target", "model", "loss", "train_size", "train_steps", "sampler", "step_size", "temperature", "steps", "seed", "metric"),
)
CELLS = Table(
    SOURCE
    | _all("whole", "train_size", "train_steps")
    | _all("text", "sampler")
    | _all("real", "step_size", "temperature")
    | _all("text", "metric")
    | _all("whole", "seed")
    | _all("real", "value"),
    ("target", "model", "loss", "train_size", "train_steps", "sampler", "step_size", "temperature", "metric", "seed"),
)
"""Of a reference: what `verify` compares."""
LOSSES = Table(
    SOURCE
    | _all("real", "sigma")
    | _all("whole", "train_steps")
    | _all("text", "metric")
    | INTERVAL
    | COUNTS
    | _all("real", "gain", "gain_low", "gain_high")
    | RANK,
    ("target", "model", "loss", "train_steps", "metric"),
)
"""`gain` is what the last doubling of the training steps took away: the ratio of a divergence, before over after, the difference of another metric. Where its
interval holds no gain (1, or 0) the source is trained to its end, as far as these seeds can tell."""
SAMPLERS = Table(
    SOURCE
    | _all("text", "sampler")
    | _all("real", "temperature", "step_size")
    | _all("whole", "steps", "gradient_evaluations")
    | _all("text", "metric")
    | INTERVAL
    | COUNTS
    | _all("real", "floor_mean", "floor_q95")
    | RANK,
    ("target", "model", "loss", "sampler", "temperature", "step_size", "metric"),
)
WORK = Table(
    _all("text", "target", "method", "sampler")
    | _all("real", "step_size", "temperature")
    | _all("text", "start", "panel")
    | _all("real", "epsilon", "gradients", "low", "high", "plateau")
    | _all("whole", "chains")
    | _all("text", "phase")
    | _all("status", "status")
    | _all("flag", "chosen")
    | _all("text", "word")
    | _all("real", "ratio", "ratio_low", "ratio_high", "detectable", "plateau_low", "plateau_high", "kernel", "kernel_low", "kernel_high")
    | _all("whole", "budget")
    | _all("text", "reason"),
    ("target", "sampler", "step_size", "panel", "phase", "chains", "budget"),
)
"""`gradients` is the work; of a row that is not reached it is none, and `low` what it is at least. `ratio` is to the best method on the target. `kernel` is the
squared bias by a kernel of a chosen cell that arrives (`engine.kernel`): above epsilon it vetoes.
"""
EQUILIBRIUM = Table(
    _all("text", "target", "method", "sampler")
    | _all("real", "step_size")
    | _all("text", "function")
    | _all("real", "bias", "low", "high", "ess_per_gradient"),
    ("target", "method", "function"),
)
"""`bias` in standard deviations of the law; effective draws none where a chain is worth fewer than ten."""
DECOMPOSITION = Table(
    SOURCE | _all("text", "sampler") | _all("real", "step_size") | _all("text", "metric", "part") | INTERVAL | _all("whole", "seeds"),
    ("target", "model", "loss", "sampler", "step_size", "metric", "part"),
)
EXCESS = _all("real", "above", "above_low", "above_high", "divergence", "divergence_low", "divergence_high")
"""Of a sweep: by how much a validation loss is above that at the chosen value, seeds in pairs, and the relative Fisher divergence to what the loss learns."""
LEARNING_RATES = Table(
    SOURCE | _all("real", "learning_rate") | INTERVAL | _all("whole", "seeds") | _all("flag", "chosen") | EXCESS,
    ("target", "model", "loss", "learning_rate"),
)
TUNED = Table(
    SOURCE | _all("text", "option") | _all("real", "value") | INTERVAL | _all("whole", "seeds") | _all("flag", "chosen") | EXCESS,
    ("target", "model", "loss", "value"),
)
"""As LEARNING_RATES, of losses that tune an option of their own."""
SENSITIVITY = Table(
    _all("text", "target", "metric", "fault") | _all("whole", "chains", "repeats", "alarms") | _all("real", "share", "low", "high"),
    ("target", "metric", "fault"),
)
CLAIMS = Table(
    _all("text", "id", "label", "source", "expected")
    | _all("verdict", "verdict")
    | _all("text", "reason")
    | _all("whole", "stated", "stated_agree", "corrected", "corrected_agree")
    | _all("text", "number")
    | _all("real", "predicted", "measured", "standard_error")
    | _all("text", "file", "numbers", "figure"),
    ("id",),
)
TIMINGS = Table(
    _all("text", "stage", "job")
    | _all("real", "seconds", "peak_memory_mb")
    | _all("text", "model", "loss")
    | _all("real", "seconds_per_gradient"),
    (),  # a source that is sampled in two blocks has two
)
TABLES = {
    "losses": LOSSES,
    "samplers": SAMPLERS,
    "work": WORK,
    "equilibrium": EQUILIBRIUM,
    "decomposition": DECOMPOSITION,
    "learning_rates": LEARNING_RATES,
    "tuned": TUNED,
    "sensitivity": SENSITIVITY,
    "claims": CLAIMS,
}
"""The tables of a run, by the names of their files."""
