"""Tables of numbers that a user has: CSV, NPY and Parquet, read in blocks; what is no number is told with its row and column.

Rows are counted from 1 below the header, columns are called by the header, or by their numbers from 1 where there is none. Above a CSV's first line may
stand comments, lines that begin with #, and Excel's `sep=;`. Its cells are separated by what separates as many in it as in the line below, numbers there,
or else most of them: commas, semicolons, tabs or |. It is a header if no cell of it is a number, or those that are count the columns, as 0,1,2 or
2019,2020; where it may be either it is refused.
"""

from __future__ import annotations

import csv
import itertools
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
SEPARATORS = ",;\t|"
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
"""How a missing value is written, in any case."""
UNREADABLE = (OSError, ValueError, EOFError, csv.Error, SyntaxError, TokenError, TypeError, OverflowError, RecursionError, MemoryError)
"""What readers raise: pyarrow the first two, too; numpy, which evaluates the header of a NPY, what evaluating text raises."""
THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]*)?")
MARKED = re.compile(r"[<>≤≥~$€£] ?=? ?[-+]?[0-9][0-9.,]*([eE][-+]?[0-9]+)?")
"""A number with a mark before it, as what is below a detection limit."""
NAMELESS = re.compile(r"|Unnamed: [0-9]+|__index_level_[0-9]+__")
"""How a column without a name is called, by pandas the last two."""
YEARS = range(1900, 2101)


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
    values = values[:, None] if values.ndim == 1 else values
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

    names, separator, skipped, header = _first_line(path)
    wanted = _positions(path, columns, names)
    wrong: list[str] = []

    def uneven(row: Any) -> str:
        number, extra, hint = row.number - skipped, row.actual_columns - row.expected_columns, ""
        if extra == 1 and row.text.rstrip("\r\n ").endswith(separator):
            hint = f" (it ends in {separator!r}: allowed: no separator at the end)"
        elif extra == 1 and number == 1 and header:
            hint = f" (an index without a name{', or a decimal comma' * (separator == ',')}? allowed: a name for each column)"
        elif extra > 0 and separator == ",":
            hint = " (a decimal comma?)"
        wrong.append(f"{path.name}, row {number}: it has {row.actual_columns} values, not {row.expected_columns}{hint}")
        return "error"

    try:
        blocks = reader.open_csv(
            path,
            reader.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names, skip_rows=skipped),
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


def _first_line(path: Path) -> tuple[list[str], str, int, bool]:
    """What a CSV's columns are called, what separates them, how many lines stand above the first row, and whether the last of these is a header.

    Raises InputError for what is no text, and for a line of which this does not follow.
    """
    above, line, second = _first_lines(path)
    stated = re.fullmatch(r'"?sep=(.)"?', above[-1]) if above else None
    separator = stated[1] if stated else _separator(line, second)
    if separator == ";" and all(_is_number(cell.replace(",", ".")) for cell in line.split(";")):
        line = line.replace(",", ".")  # numbers with decimal commas, which their rows will tell
    cells, below = _cells(line, separator), _cells(second, separator)
    numbers = [cell for cell in cells if _is_number(cell)]
    commented = _cells(above[-1].lstrip("# "), separator) if above and not stated else []
    if numbers and len(commented) == len(cells) and not any(map(_is_number, commented)):  # as numpy writes a header
        return commented, separator, len(above), True
    others = [cell for cell in cells if not _is_data(cell)]
    if not others:
        whole = all(map(str.isdigit, below))
        # pandas calls columns without a name 0, 1, ...; a row of data would be written as those that follow.
        if not whole and cells == [str(number) for number in range(len(cells))]:
            return cells, separator, len(above) + 1, True
        if not whole and _counts(cells) and (len(cells) > 3 or all(int(cell) in YEARS for cell in cells)):
            raise InputError(
                f"{path.name}: in its first line {', '.join(cells[:4])}: names, or numbers? (allowed: names that are no numbers, or {cells[0]}.0)"
            )
        nameless = len(cells) > 1 and not cells[-1] and len(cells) == len(below) and not below[-1]
        names = [str(number + 1) for number in range(len(cells))]
        return [*names[:-1], ""] if nameless else names, separator, len(above), False
    if all(map(_is_odd, others)) or (numbers and not _counts(numbers)):
        odd = next(filter(_is_odd, others), others[0])
        one = f", and {numbers[0]!r} is one" if numbers else ""
        raise InputError(f"{path.name}: in its first line {odd[:40]!r} is no number{one} (allowed: names, or numbers alone, as 1234.5)")
    return cells, separator, len(above) + 1, True


def _first_lines(path: Path) -> tuple[list[str], str, str]:
    """The lines of a CSV that stand above the first, that one, and the next, "" where there is none. Raises InputError for what is no text."""
    above: list[str] = []
    with path.open("rb") as file:
        for mark in itertools.chain(("utf-8-sig",), itertools.repeat("utf-8")):
            raw = [file.readline(2**20), file.readline(2**20)]
            try:
                line, second = (part.decode(mark).rstrip("\r\n") for part in raw)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path.name} is no CSV that can be read: it is no UTF-8 text ({error.reason} at byte {error.start})"
                ) from None
            if "\r" in line + second:
                raise InputError(
                    f"{path.name} is no CSV that can be read: lines of it end in CR alone, as on an old Mac (allowed: LF, or CR and LF)"
                )
            if "\0" in line or not line.strip():
                what = "no text" if line.strip() else "empty"
                raise InputError(f"{path.name} is no CSV that can be read: its first line is {what}")
            if not (line.startswith("#") or (not above and re.fullmatch(r'"?sep=."?', line))):
                return above, line, second
            above.append(line)
            file.seek(-len(raw[1]), 1)
    raise AssertionError


def _separator(line: str, second: str) -> str:
    def fits(mark: str) -> tuple[bool, bool, int]:
        cells, below = _cells(line, mark), _cells(second, mark)
        as_many = len(cells) == len(below) > 1
        return as_many, as_many and all(_is_data(cell.replace(",", ".")) for cell in below), len(cells)

    return max(SEPARATORS, key=fits)


def _counts(cells: list[str]) -> bool:
    """Whether whole numbers rise in equal steps, two of them by one."""
    steps = {int(b) - int(a) for a, b in itertools.pairwise(cells)} if all(map(str.isdigit, cells)) else set()
    return len(steps) == 1 and min(steps) > 0 and (len(cells) > 2 or steps == {1})


def _is_data(cell: str) -> bool:
    return _is_number(cell) or cell.lower() in MISSING


def _is_odd(cell: str) -> bool:
    """Whether it is a number, but not written as one."""
    return bool(MARKED.fullmatch(cell) or THOUSANDS.fullmatch(cell)) or _is_number(cell.replace(",", "."))


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
    if len(parts := cell.split()) > 1 and all(map(_is_number, parts)):
        raise InputError(
            f"{where}: {cell[:40]!r} is {len(parts)} numbers with blanks between them (allowed: commas, semicolons, tabs or |)"
        )
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
        elif columns is None and NAMELESS.fullmatch(name):
            last = not name and len(names) > 1 and name == names[-1]
            what = "does each line end in a separator?" if last else "is it an index?"
            lines.append(
                f"{path.name}: column {list(names).index(name) + 1} has no name: {what} (allowed: a file without it, or {_choice(names)})"
            )
    if lines:
        raise InputError(*lines)
    return [list(names).index(name) for name in columns or names]


def _choice(names: Sequence[str]) -> str:
    return f"name the columns to take, as columns={'|'.join([n for n in names if not NAMELESS.fullmatch(n)][:2])}"
