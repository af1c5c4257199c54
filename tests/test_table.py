"""A user's table as a target: what is read, which rows judge, floors without a row twice, and a line for what is no table of numbers."""

import contextlib
import pickle
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from scorebench import stages
from scorebench.core import registry
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.spec import parse
from scorebench.engine import floors
from scorebench.engine.metric import Metric
from scorebench.metrics.base import Run
from scorebench.store import samples, tables
from scorebench.store.results import Results
from scorebench.suite.fingerprint import fingerprint
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
from scorebench.targets.base import Target, distinct, has, repeated
from scorebench.testing.examples import stream
from scorebench.testing.statistical import z_limit

SETS = {"wine": (load_wine, 178, 13), "diabetes": (load_diabetes, 442, 10), "breast_cancer": (load_breast_cancer, 569, 30)}
WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "npy": lambda frame, path: np.save(path, frame.to_numpy()),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


def target_of(path: Path, options: str = "") -> Target:
    return parse("target", f"table:path={path}{options}").build()


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("name", SETS)
def test_data_sets_in_each_format(name, ending, tmp_path):
    """The same rows whatever the format: exact. Every row has its one part; those that train have mean 0 and variance 1."""
    loader, rows, columns = SETS[name]
    frame = loader(as_frame=True).data
    WRITERS[ending](frame, tmp_path / f"data.{ending}")
    target = target_of(tmp_path / f"data.{ending}")
    assert target.dim == columns and target.rows == rows // 3 and target.training_rows == rows - rows // 3 - rows // 6
    parts = [
        target.sample(target.rows, stream("a")),
        target.validation_sample(rows // 6, stream("b")),
        target.training_sample(target.training_rows, stream("c")),
    ]
    torch.testing.assert_close(parts[2].mean(0), torch.zeros(columns), atol=1e-5, rtol=0)
    torch.testing.assert_close(parts[2].var(0, correction=0), torch.ones(columns), atol=1e-4, rtol=0)
    scaled = torch.cat(parts).double().numpy()
    shift, scale = np.polyfit(np.sort(scaled[:, 0]), np.sort(frame.to_numpy(float)[:, 0]), 1)[::-1]
    np.testing.assert_allclose(np.sort(shift + scale * scaled[:, 0]), np.sort(frame.to_numpy(float)[:, 0]), rtol=1e-5, atol=1e-5 * scale)
    assert len({tuple(row) for row in scaled.round(5)}) == len(frame.drop_duplicates())


def test_as_it_is(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(60.0).reshape(30, 2) ** 1.5)
    target = target_of(tmp_path / "a.npy", ",standardise=false")
    rows = torch.cat([target.sample(10, stream("a")), target.validation_sample(5, stream("b")), target.training_sample(15, stream("c"))])
    assert {tuple(row) for row in rows.tolist()} == {
        tuple(row) for row in (torch.arange(60.0).double().reshape(30, 2) ** 1.5).float().tolist()
    }


def test_columns_by_name_and_number(tmp_path):
    """In the order that is asked for; the others may hold anything."""
    frame = pd.DataFrame({"a": np.arange(30.0), "text": "x", "b c": 7 - np.arange(30.0) ** 2})
    frame.to_csv(tmp_path / "named.csv", index=False)
    frame.to_parquet(tmp_path / "named.parquet")
    for ending in ("csv", "parquet"):
        values = tables.read(tmp_path / f"named.{ending}", ("b c", "a")).values
        np.testing.assert_array_equal(values, frame[["b c", "a"]].to_numpy(float))
    np.savetxt(tmp_path / "bare.csv", frame[["a", "b c"]].to_numpy(float), delimiter=";")
    np.testing.assert_array_equal(tables.read(tmp_path / "bare.csv", ("2",)).values[:, 0], frame["b c"])
    frame[["a", "b c"]].to_csv(tmp_path / "saved.csv")
    pd.read_csv(tmp_path / "saved.csv").to_csv(tmp_path / "saved.csv", index=False)  # its index is called Unnamed: 0
    np.testing.assert_array_equal(tables.read(tmp_path / "saved.csv", ("Unnamed: 0",)).values[:, 0], frame.index)
    np.save(tmp_path / "bare.npy", frame[["a", "b c"]].to_numpy(float))
    np.testing.assert_array_equal(tables.read(tmp_path / "bare.npy", ("2", "1")).values, frame[["b c", "a"]].to_numpy(float))
    pd.DataFrame(frame[["a", "b c"]].to_numpy(float)).to_csv(tmp_path / "numbered.csv", index=False)  # its header is 0,1
    assert tables.read(tmp_path / "numbered.csv").values.shape == (30, 2)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_how_a_csv_is_written(separator, end, mark, tmp_path):
    text = f'{mark}"x"{separator}y{end}' + "".join(f'"{k}.5"{separator} {k}e-1 {end}' for k in range(12)) + end
    (tmp_path / "a.csv").write_bytes(text.encode())
    np.testing.assert_array_equal(tables.read(tmp_path / "a.csv", ("x", "y")).values, [[k + 0.5, float(f"{k}e-1")] for k in range(12)])


@pytest.mark.parametrize(
    ("above", "row", "names"),
    [
        ("length, in m;width, in m", "{};{}", ["length, in m", "width, in m"]),
        ("sep=;\na;b", "{};{}", ["a", "b"]),
        ("\ufeffsep=|\na|b", "{}|{}", ["a", "b"]),
        ("a|b", "{}|{}", ["a", "b"]),
        ("|a|,|b|", "{},{}", ["|a|", "|b|"]),
        ("# mine, of 2024\n# units: m, s\na,b", "{},{}", ["a", "b"]),
        ("# a,b", "{},{}", ["a", "b"]),
        ("# mine", "{},{}", ["1", "2"]),
        ("0,1", "{},{}", ["0", "1"]),
        ("<18,18-30", "{},{}", ["<18", "18-30"]),
        ("25%,50%", "{},{}", ["25%", "50%"]),
        ("2nd,1e", "{},{}", ["2nd", "1e"]),
    ],
)
def test_what_stands_above_the_rows(above, row, names, tmp_path):
    """Comments, Excel's line, and names that are nearly numbers: every row is there, and no other."""
    (tmp_path / "a.csv").write_text("\n".join([above, *(row.format(k + 0.5, -k) for k in range(12))]))
    table = tables.read(tmp_path / "a.csv")
    assert table.names == names
    np.testing.assert_array_equal(table.values, [[k + 0.5, -k] for k in range(12)])


@pytest.mark.parametrize(("first", "rows"), [("country,2019,2020", 1), ("0,1,label", 1), ("3,4,5", 0), ("2000,2001,2002.5", 0)])
def test_numbers_in_a_first_line(first, rows, tmp_path):
    """Names where they count the columns beside a word; data where all are numbers that may be a row."""
    (tmp_path / "a.csv").write_text(f"{first}\n" + "1,2.5,1\n" * 12)
    assert len(tables.read(tmp_path / "a.csv").values) == 13 - rows


def npy(shape: str) -> bytes:
    """A NPY file whose header says this shape."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header + bytes(320)


GOOD = "".join(f"{k},{k * k}\n" for k in range(20))
BAD = [
    ("a.csv", f"x,y\n{GOOD}3,\n{GOOD}", "a.csv, row 21, column 'y': a missing value"),
    ("a.csv", f"x,y\n{GOOD}NA,3\n", "a.csv, row 21, column 'x': a missing value"),
    ("a.csv", f"x,y\n{GOOD}3,nan\n", "a.csv, row 21, column 'y': a missing value"),
    ("a.csv", f"x,y\n{GOOD}3,inf\n", "a.csv, row 21, column 'y': an infinite value"),
    ("a.csv", f"x,y\n{GOOD}3,1e999\n", "a.csv, row 21, column 'y': an infinite value"),
    ("a.csv", f"x,y\n{GOOD}3,red\n", "a.csv, row 21, column 'y': 'red' is not a number"),
    ("a.csv", f"x,y\n{GOOD}3,1_000\n", "a.csv, row 21, column 'y': '1_000' is not a number"),
    ("a.csv", f"x,y\n{GOOD}3,2026-11-26\n", "a.csv, row 21, column 'y': '2026-11-26' is not a number"),
    ("a.csv", f"{GOOD}3,red\n", "a.csv, row 21, column '2': 'red' is not a number"),
    ("a.csv", "x;y\n" + "1,5;2\n" * 20, "a.csv, row 1, column 'x': '1,5' has a decimal comma (allowed: 1.5)"),
    ("a.csv", "1,5;2,5\n" * 20, "a.csv, row 1, column '1': '1,5' has a decimal comma"),
    (
        "a.csv",
        "x;y\n" + "1,000;2\n" * 20,
        "a.csv, row 1, column 'x': '1,000' has a comma: of thousands or decimal? (allowed: 1000 or 1.000)",
    ),
    ("a.csv", "x;y\n" + "-1,234,567.5;2\n" * 20, "a.csv, row 1, column 'x': '-1,234,567.5' has commas of thousands (allowed: -1234567.5)"),
    ("a.csv", "x,y\r" + GOOD.replace("\n", "\r"), "a.csv is no CSV that can be read: lines of it end in CR alone"),
    ("a.csv", "x,y\n" + GOOD.replace("\n", "\r"), "a.csv is no CSV that can be read: lines of it end in CR alone"),
    ("a.csv", f"{'x' * 200_000},y\n{GOOD}", "a.csv is no CSV that can be read: field larger than field limit"),
    ("a.csv", "x,y\n" + "1,5,2,5\n" * 20, "a.csv, row 1: it has 4 values, not 2 (a decimal comma?)"),
    ("a.csv", f"x,y\n{GOOD}3\n{GOOD}", "a.csv, row 21: it has 1 values, not 2"),
    ("a.csv", f"x,y\n{GOOD}3,4,5\n{GOOD}", "a.csv, row 21: it has 3 values, not 2"),
    ("a.csv", f",x,y\n{''.join(f'{k},{k},{k * k}{chr(10)}' for k in range(20))}", "a.csv: column 1 has no name: is it an index?"),
    ("a.csv", f"x,x\n{GOOD}", "a.csv: 2 columns are called 'x'"),
    ("a.csv", "x,y\n" + "".join(f"{k},7\n" for k in range(20)), "a.csv, column 'y': it is constant"),
    ("a.csv", "x,y\n1,2\n", "a.csv: it has 1 row (allowed: 12 or more)"),
    ("a.csv", "x,y\n", "a.csv: it has 0 rows"),
    ("a.csv", "", "a.csv: the file is empty"),
    ("a.csv", "\n\n\n", "a.csv is no CSV that can be read: its first line is empty"),
    ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.csv is no CSV that can be read: it is no UTF-8 text"),
    ("a.csv", "x,größe\n".encode("latin-1") + GOOD.encode(), "a.csv is no CSV that can be read: it is no UTF-8 text"),
    ("a.csv", b"PK\x03\x04\0\0\0\0", "a.csv is no CSV that can be read: its first line is no text"),
    ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "a.npy is no NPY that can be read"),
    *(
        ("a.npy", npy(shape), "a.npy is no NPY that can be read")
        for shape in ("(10**30,)", "('a',)", "(" * 99 + "1", "-" * 20_000 + "1", "(1,", "1")
    ),
    ("a.npy", GOOD.encode(), "a.npy is no NPY that can be read"),
    ("a.npy", pickle.dumps([1, 2]), "a.npy is no NPY that can be read: it holds Python objects"),
    ("a.npy", np.array([{1: 2}, "x"], dtype=object), "a.npy is no NPY that can be read: it holds Python objects"),
    ("a.npy", np.array(["1", "2"]), "a.npy: it is an array of <U1 (allowed: numbers)"),
    ("a.npy", np.ones((20, 2), complex), "a.npy: it is an array of complex128 (allowed: numbers)"),
    ("a.npy", np.ones((20, 2, 3)), "a.npy: it has shape (20, 2, 3) (allowed: (rows, columns))"),
    ("a.npy", np.array(3.0), "a.npy: it has shape ()"),
    ("a.npy", np.ones((20, 0)), "a.npy: it has no columns"),
    ("a.npy", np.ones((0, 2)), "a.npy: it has 0 rows (allowed: 12 or more)"),
    ("a.csv", f"<0.1,2\n{GOOD}", "a.csv: in its first line '<0.1' is no number, and '2' is one (allowed: names, or numbers alone"),
    ("a.csv", f'"1,234.5",2\n{GOOD}', "a.csv: in its first line '1,234.5' is no number, and '2' is one"),
    ("a.csv", f'"1,234.5","2,000"\n{GOOD}', "a.csv: in its first line '1,234.5' is no number (allowed"),
    ("a.csv", f"red,3\n{GOOD}", "a.csv: in its first line 'red' is no number, and '3' is one"),
    ("a.csv", f"<5;2,5\n{GOOD.replace(',', ';')}", "a.csv: in its first line '<5' is no number"),
    (
        "a.csv",
        "2019,2020\n" + "0.5,1.5\n" * 20,
        "a.csv: in its first line 2019, 2020: names, or numbers? (allowed: names that are no numbers, or 2019.0)",
    ),
    ("a.csv", "400,410,420,430\n" + "0.5,1.5,1,2\n" * 20, "a.csv: in its first line 400, 410, 420, 430: names, or numbers?"),
    (
        "a.csv",
        "Unnamed: 0,x,y\n" + "0,0.5,1.5\n" * 20,
        "a.csv: column 1 has no name: is it an index? (allowed: a file without it, or name the columns to",
    ),
    ("a.csv", "#,x,y\n" + "0,0.5,1.5\n" * 20, "a.csv: column 1 has no name: is it an index?"),
    (
        "a.csv",
        "x,y\n" + "0,0.5,1.5\n" * 20,
        "a.csv, row 1: it has 3 values, not 2 (an index without a name, or a decimal comma? allowed: a name for each",
    ),
    (
        "a.csv",
        "x;y\n" + "0;0.5;1.5\n" * 20,
        "a.csv, row 1: it has 3 values, not 2 (an index without a name? allowed: a name for each column)",
    ),
    ("a.csv", "x,y\n" + "0.5,1.5,\n" * 20, "a.csv, row 1: it has 3 values, not 2 (it ends in ',': allowed: no separator at the end)"),
    (
        "a.csv",
        "x,y,\n" + "0.5,1.5,\n" * 20,
        "a.csv: column 3 has no name: does each line end in a separator? (allowed: a file without it, or name the columns",
    ),
    (
        "a.csv",
        "0.5,1.5,\n" * 20,
        "a.csv: column 3 has no name: does each line end in a separator? (allowed: a file without it, or name the",
    ),
    (
        "a.csv",
        "0.5 1.5\n" * 20,
        "a.csv, row 1, column '0.5 1.5': '0.5 1.5' is 2 numbers with blanks between them (allowed: commas, semicolons, tabs or |)",
    ),
    ("a.csv", "x  y\n" + "0.5  1.5\n" * 20, "a.csv, row 1, column 'x  y': '0.5  1.5' is 2 numbers with blanks between them"),
    ("a.csv", f"# mine\nx,y\n{GOOD}3,red\n", "a.csv, row 21, column 'y': 'red' is not a number"),
    ("a.csv", f"sep=,\nx,y\n{GOOD}3,4,5\n", "a.csv, row 21: it has 3 values, not 2"),
    ("a.npy", np.where(np.arange(40).reshape(20, 2) == 5, np.nan, 1.0), "a.npy, row 3, column '2': a missing value"),
    ("a.npy", np.where(np.arange(40).reshape(20, 2) == 5, -np.inf, 1.0), "a.npy, row 3, column '2': an infinite value"),
    ("a.parquet", GOOD.encode(), "a.parquet is no PARQUET that can be read"),
    ("a.parquet", pd.DataFrame({"x": [1.0, None] * 10}), "a.parquet, row 2, column 'x': a missing value"),
    ("a.parquet", pd.DataFrame({"x": ["a"] * 20}), "a.parquet, column 'x': it holds "),
    ("a.parquet", pd.DataFrame({"x": range(20)}, index=list("abcdefghijklmnopqrst")), "a.parquet: column 2 has no name: is it an index?"),
    ("a.xlsx", b"PK\x03\x04", "a.xlsx: a table ends in .csv, .npy, .parquet"),
    ("a.npz", b"PK\x03\x04", "a.npz: a table ends in .csv, .npy, .parquet"),
]


def write(path: Path, content: object) -> None:
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    elif isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(("name", "content", "line"), BAD, ids=range(len(BAD)))
def test_what_is_no_table_is_told_in_a_line(name, content, line, tmp_path):
    write(tmp_path / name, content)
    with pytest.raises(InputError) as told:
        target_of(tmp_path / name)
    assert len(told.value.lines) == 1 and told.value.lines[0].startswith(line), told.value.lines


def test_no_bit_of_a_header_is_a_traceback(tmp_path):
    """Each in turn is another: the array is read, or refused in a line."""
    np.save(tmp_path / "a.npy", np.ones((20, 2)))
    content = (tmp_path / "a.npy").read_bytes()
    for bit in range(8 * 128):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "a.npy").write_bytes(changed)
        with contextlib.suppress(InputError), warnings.catch_warnings(action="ignore"):
            tables.read(tmp_path / "a.npy")


def test_names_that_there_are_not(tmp_path):
    (tmp_path / "a.csv").write_text(f"height,weight\n{GOOD}")
    with pytest.raises(InputError, match="column 'wieght' is unknown; did you mean 'weight'"):
        target_of(tmp_path / "a.csv", ",columns=height|wieght")
    with pytest.raises(InputError, match="there is no such file; did you mean 'a.csv'"):
        target_of(tmp_path / "a1.csv")
    with pytest.raises(InputError, match="is a folder"):
        target_of(tmp_path)
    (tmp_path / "huge.csv").write_text("x\n" + "".join(f"{k}e300\n" for k in range(20)))
    with pytest.raises(InputError, match="column 'x': it goes to 1.9e\\+301"):
        target_of(tmp_path / "huge.csv")
    (tmp_path / "far.csv").write_text("x\n" + "".join(f"{1e9 + k}\n" for k in range(20)))
    with pytest.raises(InputError, match="float32 does not resolve"):
        target_of(tmp_path / "far.csv", ",standardise=false")
    assert has(target_of(tmp_path / "far.csv"), "sample")


def test_a_million_rows(tmp_path):
    """Within 2 GB: what numpy and torch allocate, by tracemalloc, is below a quarter of that for 80 MB of numbers; pyarrow's block is 16 MB."""
    values = np.random.Generator(np.random.PCG64(1)).standard_normal((1_000_000, 10)).astype(np.float32)
    pd.DataFrame(values).rename(columns=str).to_parquet(tmp_path / "a.parquet")
    tracemalloc.start()
    target = target_of(tmp_path / "a.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert target.rows == 333_333 and peak < 5e8, peak


G = np.random.Generator(np.random.PCG64(7))
X = G.standard_normal((2_000, 2))
NEAR = np.stack([X[:, 0], 0.99 * X[:, 0] + 0.141 * X[:, 1]], 1)
MASS, TALL = np.exp(X * [0.2, 0.06] + [4.3, 0.53]).T
WITHOUT_DENSITY = {
    "a line": (np.stack([X[:, 0], 2 * X[:, 0]], 1), "columns '1', '2' fulfil an equation"),
    "a line, rounded": (np.stack([X[:, 0], 2 * X[:, 0]], 1).round(2), "columns '1', '2' fulfil an equation"),
    "a sum, in float32": (np.column_stack([X, 1e3 - X.sum(1)]).astype(np.float32), "columns '1', '2', '3' fulfil an equation"),
    "a parabola": (np.stack([X[:, 0], X[:, 0] ** 2], 1), "columns '1', '2' fulfil an equation of degree two, to "),
    "a circle, rounded": ((X / np.linalg.norm(X, axis=1)[:, None]).round(3), "columns '1', '2' fulfil an equation of degree two, to "),
    "a length": (np.column_stack([X, np.hypot(*X.T)]), "columns '1', '2', '3' fulfil an equation of degree two, to "),
    "a product": (np.column_stack([X, X.prod(1), G.standard_normal(2_000)]), "columns '1', '2', '3' fulfil an equation of degree two, to "),
    "body mass": (
        np.column_stack([MASS.round(), TALL.round(2), (MASS / TALL**2).round(1)]),
        "columns log '1', log '2', log '3' fulfil an equation, to ",
    ),
    "a logarithm": (np.stack([X[:, 0], np.exp(X[:, 0])], 1), "columns '1', log '2' fulfil an equation, to "),
    "Friedewald's, of cholesterol": (
        load_diabetes(scaled=False).data[:, [2, 3, 4, 5, 6, 8, 9]],
        "columns '3', '4', '5', '6' fulfil an equation of",
    ),
    "0 and 1": (np.column_stack([X[:, 0], X[:, 1] > 0]), " of 2,000 rows have 0 in column '2'"),
    "a scale of seven": (np.column_stack([X[:, 0], G.integers(1, 8, 2_000)]), "of 2,000 rows have "),
    "ten values": (np.column_stack([X[:, 0], np.arange(2_000) % 10]), "column '2' has 10 values in 2,000 rows"),
    "zeros": (np.where(np.arange(4_000).reshape(-1, 2) % 20 < 3, 0, X), "of 2,000 rows have 0 in column '1'"),
    "clipped": (X.clip(-1), "of 2,000 rows have -1 in column '1'"),
    "all twice": (np.repeat(X[:1_000], 2, 0), "% of the rows that are held out are copies"),
    "thirty times": (np.repeat(X[:66], 30, 0).round(3), "100% of the rows that are held out are copies"),
}
WITH_DENSITY = {
    "normal": X,
    "one decimal": (20 + 5 * X).round(1),
    "a quarter of the deviation": (4 * X).round() / 4,
    "correlated": NEAR,
    "correlated, one decimal": NEAR.round(1),
    "correlated, .9999": np.stack([X[:, 0], X[:, 0] + 1e-2 * X[:, 1]], 1),
    "whole numbers": G.integers(0, 1_000, (2_000, 2)),
    "one column of whole numbers": G.integers(0, 50, (2_000, 1)),
    "counts": G.poisson(20, (2_000, 3)),
    "a ring": X / np.linalg.norm(X, axis=1)[:, None] * (1 + 0.01 * G.standard_normal((2_000, 1))),
    "a hundred rows, degree two": G.standard_normal((100, 5)),
    "one row far off": np.concatenate([X, [[1e6, 1e6]]]),
    "three clusters": np.eye(3)[G.integers(0, 3, 2_000)] + 0.01 * G.standard_normal((2_000, 3)),
    "heavy tails": G.standard_cauchy((2_000, 2)),
    "skew": np.exp(2 * X).round(2),
    "twelve rows": X[:12].round(1),
    "wide": G.standard_normal((40, 60)),
    "a few copies": np.concatenate([X[:1_900], X[:100]]),
}


@pytest.mark.parametrize("name", WITHOUT_DENSITY)
def test_a_law_without_a_density_ranks_no_score(name, tmp_path):
    """The reason is told before any compute, and is why the metric that would rank what is learnt has no value."""
    rows, line = WITHOUT_DENSITY[name]
    np.save(tmp_path / "a.npy", G.permutation(rows))
    target = target_of(tmp_path / "a.npy")
    assert line in target.singular and ("(allowed: noise=0.1, " in target.singular) == ("copies" not in line)
    assert f"nothing follows from a Hyvärinen score, {NO_BOUND}: {target.singular}" == target.remarks[1]
    with pytest.raises(NotApplicable, match="the law has no density: "):
        registry.method("metric", "hyvarinen_score")(Run(), target, None)


def test_columns_of_two_values_are_in_no_equation(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([X[:200] > 0, X[200:400]]))
    assert "equation" not in target_of(tmp_path / "a.npy").singular


@pytest.mark.parametrize("name", WITHOUT_DENSITY)
def test_noise_gives_rows_a_density(name, tmp_path):
    """Copies across the split stay: whoever has learnt a row by heart is judged by it."""
    rows, line = WITHOUT_DENSITY[name]
    np.save(tmp_path / "a.npy", G.permutation(rows))
    target = target_of(tmp_path / "a.npy", ",noise=0.1")
    assert target.singular == "" if "copies" not in line else line in target.singular
    assert not any("rounded" in remark or "noise=" in remark for remark in target.remarks)


def test_noise_is_in_deviations_and_new_at_each_draw(tmp_path):
    """Every draw is a row plus .5 sd eps; of eps, 600 numbers, the mean is 0 and the variance 1 by |z| < 5.2, 2e-7 each: a mean of .2 or 30 % are seen. The
    prior is as wide as rows and noise.
    """
    np.save(tmp_path / "a.npy", X * [3.0, 500.0] + [0, 1e4])
    plain, noised = (target_of(tmp_path / "a.npy", f",standardise=false{noise}") for noise in ("", ",noise=0.5"))
    for draw in ("sample", "training_sample", "validation_sample"):
        n = 300
        rows, draws = (getattr(target, draw)(n, stream(draw)) for target in (plain, noised))
        again = getattr(noised, draw)(n, stream(draw, 2))
        eps = ((draws - rows).double().numpy() / [1.5, 250.0]).ravel()
        assert abs(eps.mean()) * len(eps) ** 0.5 < 5.2 and abs(np.square(eps).mean() - 1) * (len(eps) / 2) ** 0.5 < 5.2, draw
        assert not np.isin(draws.numpy(), again.numpy()).any(), draw
    wide, narrow = (target.prior.sample(20_000, stream("prior")).std(0) for target in (noised, plain))
    assert torch.allclose(wide / narrow, torch.tensor(1.25**0.5), rtol=1e-3)


NO_BOUND = "which has no lower bound on a law without a density"


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_a_law_with_a_density_is_not_refused(name, tmp_path):
    """Ties of rounding, thin laws, few rows: no reason. Every check is for chances of 1e-5 or less; the rows are the same each time."""
    np.save(tmp_path / "a.npy", G.permutation(WITH_DENSITY[name]))
    assert target_of(tmp_path / "a.npy").singular == ""


def test_what_is_said_of_rounding_and_of_copies(tmp_path):
    np.save(tmp_path / "a.npy", (4 * X).round() / 4)
    assert target_of(tmp_path / "a.npy").remarks[1].startswith("column '1' is rounded to steps of 0.25, 0.25 of its standard deviation: ")
    np.save(tmp_path / "a.npy", WITH_DENSITY["a few copies"])
    (told,) = target_of(tmp_path / "a.npy").remarks[1:]
    assert told.endswith("% of the rows that are held out are copies of rows that train: these do not show what is learnt by heart")


def test_no_row_comes_twice():
    """`sample` gives each row once, and says where they end; training gives each as often, or once more."""
    target = parse("target", "gaussian").build()
    rows = target.sample(50, stream("rows"))
    assert len(distinct(rows, 50, stream("s")).unique(dim=0)) == 50
    with pytest.raises(NotApplicable, match="takes 51 draws; there are 50"):
        distinct(rows, 51, stream("s"))
    _, counts = repeated(rows, 170, stream("s")).unique(dim=0, return_counts=True)
    assert set(counts.tolist()) == {3, 4}


@pytest.mark.parametrize("metric", ["mean_error", "mmd", "second_moment_bias", "c2st"])
def test_floors_of_a_finite_set_are_those_of_its_law(metric):
    """Of 2,000 rows the floor at 64 chains is that of the law itself, in the mean within its error (|z| as z_limit allows for 4 at 1e-4): 200 values each, sd
    known, sees a third of a standard deviation. Rows drawn twice, half of each set in both, would move mmd's by more.
    """
    from dataclasses import replace
    from functools import partial

    law = parse("target", "gaussian").build()
    rows = law.sample(2_000, stream("finite", metric))
    finite = replace(law, sample=partial(distinct, rows), rows=2_000, truths={})
    of_law, of_rows = (floors.values(Metric(parse("metric", metric)), its, 64, stream("floor", metric)) for its in (law, finite))
    gap = of_rows.mean() - of_law.mean()
    assert abs(float(gap)) <= z_limit(4) * float((of_rows.var() / len(of_rows) + of_law.var() / len(of_law)).sqrt())
    assert stats.levene(of_law.numpy(), of_rows.numpy()).pvalue > 1e-4 / 4


@pytest.mark.parametrize(
    ("rows", "compared", "floor"), [(1_000, 64, True), (100, 50, True), (32, 16, True), (31, 31, False), (20, 20, False)]
)
def test_how_many_are_compared(rows, compared, floor):
    law = Target(1, rows=rows, sample=lambda n, g: torch.zeros(n, 1))
    assert floors.compared(law, 64) == compared and floors.floored(law) is floor


SUITE = """
name: own
seed: 3
metrics: [mean_error, mmd, second_moment_bias, hyvarinen_score, acceptance]
experiments:
  - target: "table:path=data/{name},columns=a|b"
    seeds: 2
    training: {{size: 500, batch: 32, steps: [30], learning_rate: 1e-2}}
    sources: {{"mlp_energy:width=8,depth=1": ["denoising:sigma=0.5", sliced]}}
    exact: {{samplers: [exact, prior], step_sizes: [0.05], chains: 64, budgets: [20]}}
    trained: {{samplers: [mala, mala_from_data, prior], step_sizes: [0.05], chains: 64, budgets: [20]}}
"""


def suite(folder: Path, rows: int) -> Plan:
    folder.joinpath("data").mkdir()
    values = stats.multivariate_normal([1, 2], [[2, 1], [1, 3]], seed=5).rvs(rows)
    pd.DataFrame(values, columns=["a", "b"]).assign(c="text").to_csv(folder / "data" / "my.csv", index=False)
    (folder / "own.yaml").write_text(SUITE.format(name="my.csv"))
    return Plan(load(folder / "own.yaml"))


def run(plan: Plan, results: Path) -> Results:
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, results)
    return Results(results / plan.suite.name, plan)


def test_a_table_through_the_whole_suite(tmp_path):
    """Losses train on it, samplers run on what they learn, all is compared with the held-out rows and has a floor; what needs its score says so."""
    results = run(suite(tmp_path, 400), tmp_path / "results")
    rows = results.metrics
    trained = rows[(rows["sampler"] != "") & (rows["model"] != "")]
    floored = trained[trained["metric"].isin(["mean_error", "mmd", "second_moment_bias"])]
    assert (floored["status"] == "ok").all() and floored["floor_mean"].notna().all() and len(floored) == 2 * 2 * 3 * 3
    assert (rows.loc[rows["metric"] == "hyvarinen_score", "status"] == "ok").all()
    exact = rows[(rows["sampler"] != "") & (rows["model"] == "")]
    drawn = exact["sampler"] == "exact"  # rows that train
    assert (exact.loc[drawn & exact["metric"].eq("mean_error"), "z"].abs() < 6).all()
    assert (trained["train_size"] == 201).all()
    idle = floored[(floored["sampler"] == "prior") & (floored["metric"] == "mean_error")]
    assert (idle["z"].abs() < 6).all()  # the Gaussian with the same mean
    assert (results.folder / "index.html").is_file()


EXACT = "donot_use_mm_for_euclid_dist"
"""Of distances: by products they would be off by up to the root of a rounding error."""


def test_controls_start_from_rows_that_do_not_judge(tmp_path):
    """With a step of 1e-9 chains stay where they start, to 1e-3: each at a row that trains, none at one that is held out."""
    suite(tmp_path, 400)
    text = (
        (tmp_path / "own.yaml")
        .read_text()
        .replace("[mala, mala_from_data, prior], step_sizes: [0.05]", "[mala_from_data], step_sizes: [1e-9]")
    )
    (tmp_path / "own.yaml").write_text(text)
    plan = Plan(load(tmp_path / "own.yaml"))
    for stage in ("train", "sample"):
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path / "results")
    (job,) = (job for job in plan.samples if job.endswith("mala_from_data"))
    ran = [
        arrays["samples"] for run, arrays in samples.read(tmp_path / "results" / "own" / f"sample/{job}.npz") if run.ended.status == "ok"
    ]
    target = next(iter(plan.targets.values())).target.build()
    held_out, trains = target.sample(target.rows, stream("a")), target.training_sample(target.training_rows, stream("b"))
    assert len(ran) == 2
    for x in (torch.as_tensor(its).flatten(0, -2) for its in ran):
        near, far = (torch.cdist(x, rows, compute_mode=EXACT).amin(-1) for rows in (trains, held_out))
        assert float(near.max()) < 1e-3 < float(far.median())


@pytest.mark.parametrize("key", ["exact", "work"])
def test_no_sampler_reads_the_score_of_a_table(key, tmp_path):
    """It has none: a line before any compute, and none for samplers that do without, or on what is learnt."""
    suite(tmp_path, 60)
    text, path = (tmp_path / "own.yaml").read_text(), tmp_path / "own.yaml"
    blocks = {
        "exact": text.replace("[exact, prior]", "[exact, mala]"),
        "work": f"{text}    work: {{samplers: [mala], step_sizes: [0.1], budget: 40}}\n",
    }
    path.write_text(blocks[key])
    with pytest.raises(InputError) as told:
        load(path)
    target = "table:path=data/my.csv,columns=a|b"
    line = f"experiments[0].{key}[0].samplers: 'mala' reads log_prob and score, which target {target!r} does not have (allowed: exact, prior; or in trained)"
    assert told.value.lines[0].endswith(line), told.value.lines


def test_too_few_rows_for_a_floor(tmp_path):
    results = run(suite(tmp_path, 60), tmp_path / "results")
    rows = results.metrics[results.metrics["metric"].eq("mmd") & (results.metrics["model"] != "")]
    assert (rows["status"] == "ok").all() and rows["floor_mean"].isna().all()
    assert "no floor" in (results.folder / "index.html").read_text()


def test_the_content_of_the_file_counts(tmp_path):
    plan = suite(tmp_path, 60)
    before = {stage: [fingerprint(plan, stage, job) for job in plan.jobs(stage)] for stage in ("train", "sample", "measure")}
    path = tmp_path / "data" / "my.csv"
    path.write_text(path.read_text() + "1.0,2.0,more\n")
    after = {stage: [fingerprint(plan, stage, job) for job in plan.jobs(stage)] for stage in ("train", "sample", "measure")}
    assert all(a != b for stage in before for a, b in zip(before[stage], after[stage], strict=True))
