"""Tables and statuses on disk: what is written reads back, types and all; what is not such a table is refused with one line. All exact."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError, SchemaErrors

from scorebench.core.errors import InputError
from scorebench.core.schema import (
    CELLS,
    METRICS,
    OK,
    TABLES,
    TIMINGS,
    ClaimResult,
    Ended,
    Quantity,
    Status,
    Table,
    Verdict,
    claim_result,
    joined,
)
from scorebench.store import artifacts

KINDS = TABLES | {"metrics": METRICS, "cells": CELLS, "timings": TIMINGS}
PATH = Path("results/x/tables/a.csv")
HOSTILE = [
    "",
    "null",
    "NULL",
    "nan",
    "NaN",
    "NA",
    "N/A",
    "None",
    "<NA>",
    "true",
    "False",
    "1e5",
    "-inf",
    "0123",
    "#",
    " ",
    "a,b",
    '"',
    "'",
    "a\nb",
    "é²σ",
]
# A carriage return is a line's end to every reader of CSV; a lone surrogate is no text.
TEXT = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=8)
REAL = st.floats(allow_nan=True, allow_infinity=True)
WHOLE = st.none() | st.integers(-(2**53), 2**53)
DRAWN = {
    "text": TEXT,
    "whole": WHOLE,
    "real": REAL,
    "flag": st.booleans(),
    "verdict": st.sampled_from([str(v) for v in Verdict]),
    "status": st.sampled_from([str(s) for s in Status]),
}


def cell(column: str, kind: str) -> st.SearchStrategy:
    return WHOLE.filter(lambda n: n is None or n >= 0) if column == "seed" else DRAWN[kind]


@st.composite
def frames(draw: st.DrawFn, table: Table) -> pd.DataFrame:
    """A table of a few rows with nothing but what its columns allow; the rows differ in their keys, and one that is ok has a value."""
    rows = draw(st.lists(st.fixed_dictionaries({name: cell(name, kind) for name, kind in table.columns.items()}), max_size=4))
    kept: dict[object, dict[str, object]] = {}
    for row in rows:
        if row.get("status") == "ok" and math.isnan(row.get("value", 0.0)):
            row["value"] = 0.5
        if "reason" in table.columns and "status" in table.columns and row["status"] == "ok":
            row["reason"] = ""
        key = tuple("nan" if isinstance(v, float) and math.isnan(v) else v for v in (row[k] for k in table.key))
        kept[key or len(kept)] = row
    return table.frame(list(kept.values()))


def assert_reads_back(table: Table, frame: pd.DataFrame) -> None:
    """The same values, types and columns."""
    again = table.from_csv(table.to_csv(frame), PATH)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert list(again.columns) == list(table.columns)
    texts = [column for column, kind in table.columns.items() if kind in ("text", "status")]
    assert again[texts].map(lambda v: isinstance(v, str)).all(axis=None)
    types = {"whole": "Int64", "real": "float64", "flag": "bool"}
    assert all(str(again[column].dtype) == types[kind] for column, kind in table.columns.items() if kind in types)


@pytest.mark.parametrize("name", KINDS)
def test_a_table_reads_back(name: str) -> None:
    table = KINDS[name]

    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(frames(table))
    def reads_back(frame: pd.DataFrame) -> None:
        assert_reads_back(table, frame)

    reads_back()
    assert_reads_back(table, table.frame([]))


ALONE = ("metrics", "timings")
"""A table with a status and one without: what is read of a column rests on its kind alone."""


@pytest.mark.parametrize("name", KINDS)
def test_texts_stay_as_they_are(name: str) -> None:
    """A column full of what a reader of CSV may take for something else; each text once, so that a column of them is of no other type."""
    table = KINDS[name]
    (first, _), texts = rows_of(table), [column for column, kind in table.columns.items() if kind == "text"]
    rows = [first | dict.fromkeys(texts, text) | ({"status": "failed"} if "status" in table.columns else {}) for text in HOSTILE]
    assert_reads_back(table, table.frame(rows))
    for row in rows if name in ALONE else ():
        assert_reads_back(table, table.frame([row]))


def rows_of(table: Table) -> list[dict[str, object]]:
    """Two rows that differ."""
    plain = {"text": "a", "whole": 1, "real": 0.5, "flag": True, "status": "ok", "verdict": "reproduced"}
    row = {name: plain[kind] for name, kind in table.columns.items()} | ({"reason": ""} if "status" in table.columns else {})
    return [row, row | {next(name for name in table.key or table.columns if table.columns[name] == "text"): "b"}]


def read(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    return table.from_csv(frame.to_csv(index=False).encode(), PATH)


def written(table: Table) -> pd.DataFrame:
    """The file as plain text cells."""
    return pd.read_csv(io.BytesIO(table.to_csv(table.frame(rows_of(table)))), dtype=str, keep_default_na=False)


@pytest.mark.parametrize("name", KINDS)
def test_another_table_is_refused(name: str) -> None:
    """A column too many, too few, out of place or with another type; a row twice; a status that is none: one line that names the file."""
    table = KINDS[name]
    good = written(table)
    read(table, good)
    bad = {
        "one too many": good.assign(more="1"),
        "out of place": good[good.columns[::-1]],
        "no text": good.iloc[:0, :0],
    }
    if table.key:
        bad["a row twice"] = pd.concat([good, good.iloc[:1]])
    bad |= {f"no {column}": good.drop(columns=column) for column in good.columns}
    bad |= {f"{column} = x": good.assign(**{column: "x"}) for column in good.columns if table.columns[column] not in ("text",)}
    bad |= {f"{column} = 1.5": good.assign(**{column: "1.5"}) for column in good.columns if table.columns[column] in ("whole", "flag")}
    if "status" in table.columns:
        bad |= {"an unknown status": good.assign(status="okay: yes")}
    if {"status", "value"} <= set(table.columns):
        bad |= {"an ok row without a value": good.assign(value="")}
    for what, frame in bad.items():
        with pytest.raises(InputError) as caught:
            read(table, frame)
        assert len(caught.value.lines) == 1 and "\n" not in caught.value.lines[0], what
        assert caught.value.lines[0].startswith(f"{PATH} is not the table that a run writes: "), what


@pytest.mark.parametrize("name", KINDS)
def test_parts_are_read_as_one(name: str) -> None:
    """As they are one by one; what stands in two of them is refused where rows are told apart."""
    table = KINDS[name]
    whole = table.frame(rows_of(table))
    parts = {Path(str(i)): table.to_csv(whole.iloc[i : i + 1]) for i in range(len(whole))}
    pd.testing.assert_frame_equal(table.from_parts(parts), whole, check_exact=True)
    assert table.from_parts({}).empty
    if table.key:
        with pytest.raises((SchemaError, SchemaErrors)):
            table.from_parts(parts | {Path("again"): parts[Path("0")]})


def test_a_part_that_is_refused_is_named() -> None:
    """Whatever stands beside it: what one lacks, another has."""
    good = written(METRICS)
    other = Path("other.csv.gz")
    bad = {
        "one too many": good.assign(more="1"),
        "one less": good.drop(columns="reason" if "reason" in good else "loss"),
        "out of place": good[good.columns[::-1]],
        "a number that is none": good.assign(value="x"),
        "a status that is none": good.assign(status="okay"),
        "an ok row without a value": good.assign(value=""),
    }
    for what, frame in bad.items():
        for parts in ((PATH, other), (other, PATH)):
            contents = {path: (frame if path == PATH else good.iloc[:0]).to_csv(index=False).encode() for path in parts}
            with pytest.raises(InputError, match=f"^{PATH} is not the table that a run writes: "):
                METRICS.from_parts(contents)
            assert len(METRICS.from_parts({other: contents[other]})) == 0, what


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b'a,"b\n', b"a,b\n1,2,3\n"])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="is not the table that a run writes"):
        METRICS.from_csv(content, PATH)


def test_a_status_stands_with_its_reason() -> None:
    """In one column in files, in two in frames."""
    rows = [{"seed": 0, "value": 1.0, "status": "ok"}, {"seed": 1, "status": "failed", "reason": "ValueError: a: b"}]
    frame = METRICS.frame(rows)
    assert list(joined(frame)["status"]) == ["ok", "failed: ValueError: a: b"] and "reason" not in joined(frame)
    again = METRICS.from_csv(METRICS.to_csv(frame), PATH)
    assert list(again["reason"]) == ["", "ValueError: a: b"] and list(again["status"]) == ["ok", "failed"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(Status), TEXT)
def test_an_end_reads_back(status: Status, reason: str) -> None:
    ended = Ended(status, reason)
    assert Ended.read(str(ended)) == ended and isinstance(Ended.read(str(ended)).status, Status)


@pytest.mark.parametrize("text", ["", "okay", "OK", "failed:", "failed :x", ": ok"])
def test_another_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Status"):
        Ended.read(text)


SETTING = st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False) | TEXT, max_size=2)
QUANTITY = st.builds(
    Quantity, TEXT, TEXT, SETTING, TEXT, REAL, REAL, REAL, st.none() | st.integers(1, 2**53), st.floats(0, 1), st.booleans()
)
RESULT = st.builds(
    ClaimResult,
    *[TEXT] * 8,
    conditions=st.dictionaries(TEXT, st.booleans(), max_size=2),
    seed=st.integers(0, 2**53),
    verdict=st.sampled_from(Verdict),
    reason=TEXT,
    quantities=st.lists(QUANTITY, max_size=2).map(tuple),
)


def same(a: object, b: object) -> bool:
    """Equal, numbers that are not finite being one: JSON has null for all of them."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(b) and not math.isfinite(a))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("claims") / "a.json"


def test_a_claims_result_reads_back(path: Path) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(RESULT)
    def reads_back(result: ClaimResult) -> None:
        artifacts.write_json(path, result.as_json())
        again = claim_result(json.loads(path.read_text()), path)
        assert same(result.as_json(), again.as_json()) and isinstance(again.verdict, Verdict)
        artifacts.write_json(path, again.as_json())
        assert same(again.as_json(), claim_result(json.loads(path.read_text()), path).as_json())

    reads_back()


def plain_result() -> dict[str, object]:
    q = Quantity("x", "as-written", {}, "", 1.0, np.nan, 0.0, 100, 0.0, False)
    return ClaimResult("a", *[""] * 7, {}, 1, Verdict.REFUTED, "", (q,)).as_json()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"verdict": "refutd"}, "verdict: "),
        ({"quantities": [{"name": "x"}]}, "quantities.0.group: "),
        ({"seed": "one"}, "seed: "),
        ({"conditions": {"a": "perhaps"}}, "conditions.a: "),
    ],
)
def test_another_result_is_refused(change: dict[str, object], where: str) -> None:
    claim_result(plain_result(), "claims/a.json")
    with pytest.raises(InputError) as caught:
        claim_result(plain_result() | change, "claims/a.json")
    (line,) = caught.value.lines
    assert line.startswith(f"claims/a.json is not a claim's result: {where}") and "\n" not in line
    assert OK.status == Status.OK
