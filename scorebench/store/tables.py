"""Tables of numbers that a user has: CSV, NPY and Parquet, read in blocks; what is no number is told with its row and column.

Rows are counted from 1 below the header, columns are called by the header, or by their numbers from 1 where there is none. A CSV's first line is a
header if a cell of it is neither a number nor missing; its cells are separated by what separates most of them in that line, commas, semicolons or
tabs.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorebench.core.errors import InputError, unknown

if TYPE_CHECKING:
    import pyarrow

ENDINGS = (".csv", ".npy", ".parquet")
BLOCK = 2**24
"""Bytes of a CSV at once."""
SEPARATORS = ",;\t"
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
"""How a missing value is written, in any case."""
UNREADABLE = (OSError, ValueError, EOFError, csv.Error, SyntaxError, TokenError, TypeError, OverflowError, RecursionError, MemoryError)
"""What readers raise: pyarrow the first two, too; numpy, which evaluates the header of a NPY, what evaluating text raises."""
THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]*)?")


class Table(NamedTuple):
    """Numbers, (rows, columns), float64, and what the columns are called."""

    values: np.ndarray
    names: list[str]


def read(path: Path, columns: Sequence[str] | None = None) -> Table:
    """The columns of a table that are named, in that order, or all. Raises InputError for what is no table of numbers."""
    readers: dict[str, Callable[[Path, Sequence[str] | None], Table]] = {".csv": _csv, ".npy": _npy, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path.name}: a table ends in {', '.join(ENDINGS)}")
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty")
    try:
        return reader(path, columns)
    except UNREADABLE as error:
        raise InputError(f"{path.name} is no {path.suffix[1:].upper()} that can be read: {error}") from None


def array(path: Path) -> np.ndarray:
    """The array of a NPY file as it is, of numbers that are finite. Raises InputError."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        pickled = (
            ": it holds Python objects, or is no array; neither is read"
            if "pickle" in str(error) or "Python objects" in str(error)
            else f": {error}"
        )
        raise InputError(f"{path.name} is no NPY that can be read{pickled}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise InputError(f"{path.name}: it is an array of {getattr(values, 'dtype', 'several arrays')} (allowed: numbers)")
    return values


def _npy(path: Path, columns: Sequence[str] | None) -> Table:
    values = array(path)
    if values.ndim not in (1, 2):
        raise InputError(f"{path.name}: it has shape {values.shape} (allowed: (rows, columns))")
    values = values.reshape(len(values), -1)
    names = [str(number + 1) for number in range(values.shape[1])]
    wanted = _positions(path, columns, names)
    return _checked(path, np.asarray(values[:, wanted], np.float64), [names[i] for i in wanted])


def _parquet(path: Path, columns: Sequence[str] | None) -> Table:
    from pyarrow import parquet, types

    file = parquet.ParquetFile(path)
    schema = file.schema_arrow
    wanted = _positions(path, columns, schema.names)
    for i in wanted:
        kind = schema.field(i).type
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)):
            raise InputError(f"{path.name}, column {schema.names[i]!r}: it holds {kind}, no numbers (allowed: {_choice(schema.names)})")
    names = [schema.names[i] for i in wanted]
    return _joined(path, (_numbers(batch.select(names)) for batch in file.iter_batches(columns=names)), names)


def _numbers(batch: pyarrow.RecordBatch) -> np.ndarray:
    import pyarrow

    columns = [column.cast(pyarrow.float64(), safe=False) for column in batch.columns]
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], -1).reshape(len(batch), -1)


def _csv(path: Path, columns: Sequence[str] | None) -> Table:
    from pyarrow import csv as reader
    from pyarrow import string

    first, separator, header = _first_line(path)
    names = first if header else [str(number + 1) for number in range(len(first))]
    wanted = _positions(path, columns, names)
    wrong: list[str] = []

    def uneven(row: Any) -> str:
        comma = " (a decimal comma?)" if separator == "," and row.actual_columns > row.expected_columns else ""
        wrong.append(f"{path.name}, row {row.number - header}: it has {row.actual_columns} values, not {row.expected_columns}{comma}")
        return "error"

    try:
        blocks = reader.open_csv(
            path,
            reader.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names, skip_rows=int(header)),
            reader.ParseOptions(delimiter=separator, invalid_row_handler=uneven, newlines_in_values=False),
            reader.ConvertOptions(
                column_types=dict.fromkeys(names, string()), include_columns=[names[i] for i in wanted], strings_can_be_null=False
            ),
        )
        taken, start = [], 0
        for block in blocks:
            taken.append(_parsed(path, block, start))
            start += len(block)
    except (OSError, ValueError) as error:
        raise InputError(wrong[0] if wrong else f"{path.name} is no CSV that can be read: {error}") from None
    return _joined(path, taken, [names[i] for i in wanted])


def _first_line(path: Path) -> tuple[list[str], str, bool]:
    """The cells of a CSV's first line, what separates them, and whether they are a header. Raises InputError for what is no text."""
    with path.open("rb") as file:
        raw = [file.readline(2**20) for _ in range(2)]
    try:
        line, second = raw[0].decode("utf-8-sig").rstrip("\r\n"), raw[1].decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no CSV that can be read: it is no UTF-8 text ({error.reason} at byte {error.start})") from None
    if "\r" in line + second:
        raise InputError(
            f"{path.name} is no CSV that can be read: lines of it end in CR alone, as on an old Mac (allowed: LF, or CR and LF)"
        )
    if "\0" in line or not line.strip():
        raise InputError(f"{path.name} is no CSV that can be read: its first line is {'no text' if line.strip() else 'empty'}")
    separator = max(SEPARATORS, key=lambda mark: len(_cells(line, mark)))
    if ";" in line and all(_is_number(cell.replace(",", ".")) for cell in line.split(";")):
        separator, line = ";", line.replace(",", ".")  # numbers with decimal commas, which their rows will tell
    cells = _cells(line, separator)
    named = any(not _is_number(cell) and cell.lower() not in MISSING for cell in cells)
    # pandas calls columns without a name 0, 1, ...; a row of data would be written as those that follow.
    numbered = cells == [str(number) for number in range(len(cells))] and any(not cell.isdigit() for cell in _cells(second, separator))
    return cells, separator, named or numbered


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _is_number(cell: str) -> bool:
    if "_" in cell:  # which Python reads
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parsed(path: Path, block: pyarrow.RecordBatch, start: int) -> np.ndarray:
    """The numbers of cells that are text."""
    import pyarrow
    from pyarrow import compute

    columns = []
    for name, cells in zip(block.schema.names, block.columns, strict=True):
        try:
            numbers = compute.utf8_trim_whitespace(cells).cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
        except pyarrow.ArrowInvalid:  # a cell at least; which, or that it is a number as Python writes it, is seen one by one
            numbers = np.array([_number(path, cell, start + i + 1, name) for i, cell in enumerate(cells.to_pylist())])
        columns.append(numbers)
    return np.stack(columns, -1).reshape(len(block), -1)


def _number(path: Path, cell: str, row: int, column: str) -> float:
    where, cell = f"{path.name}, row {row}, column {column!r}", cell.strip()
    if cell.lower() in MISSING:
        raise InputError(f"{where}: a missing value ({cell!r}; allowed: a number)")
    whole, decimal = bool(THOUSANDS.fullmatch(cell)), "," in cell and _is_number(cell.replace(",", "."))
    if whole or decimal:
        what = "a comma: of thousands or decimal?" if whole and decimal else "commas of thousands" if whole else "a decimal comma"
        allowed = " or ".join([cell.replace(",", "")] * whole + [cell.replace(",", ".")] * decimal)
        raise InputError(f"{where}: {cell!r} has {what} (allowed: {allowed})")
    if not _is_number(cell):
        raise InputError(f"{where}: {cell[:40]!r} is not a number (allowed: a number; or name other columns, as columns=a|b)")
    return float(cell)


def _joined(path: Path, blocks: Iterable[np.ndarray], names: list[str]) -> Table:
    return _checked(path, np.concatenate([np.empty((0, len(names))), *blocks]), names)


def _checked(path: Path, values: np.ndarray, names: list[str]) -> Table:
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        what = "a missing value" if np.isnan(values[row, column]) else "an infinite value"
        raise InputError(f"{path.name}, row {row + 1}, column {names[column]!r}: {what} (allowed: a finite number)")
    return Table(values, names)


def _positions(path: Path, columns: Sequence[str] | None, names: Sequence[str]) -> list[int]:
    """Where the wanted columns are. Raises InputError for one that there is not, or that is not told apart from another."""
    if not names:
        raise InputError(f"{path.name}: it has no columns")
    lines = [unknown(f"{path.name}: column", name, names) for name in columns or () if name not in names]
    for name in dict.fromkeys(columns or names):
        if list(names).count(name) > 1:
            lines.append(f"{path.name}: {list(names).count(name)} columns are called {name!r}")
        elif not name or name.startswith("__index_level_"):
            lines.append(
                f"{path.name}: column {list(names).index(name) + 1} has no name: is it an index? (allowed: a file without it, or {_choice(names)})"
            )
    if lines:
        raise InputError(*lines)
    return [list(names).index(name) for name in columns or names]


def _choice(names: Sequence[str]) -> str:
    return f"name the columns to take, as columns={'|'.join([n for n in names if n][:2])}"
