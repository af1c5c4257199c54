"""Files under results/: whole or absent, damage found when read, the same content the same bytes. All exact."""

import gzip
import json
import os
import stat

import numpy as np
import pandas as pd
import pytest
import torch

from scorebench.core import schema, sealed
from scorebench.core.errors import InputError
from scorebench.store import artifacts

ARRAYS = {"0/samples": torch.arange(24, dtype=torch.float32).view(2, 3, 4) / 7, "1/steps": np.array([50, 300])}
META = {"status": "ok", "steps": (50, 300), "nothing": None, "nan": float("nan"), "é": "σ"}
ROWS = pd.DataFrame(
    {
        "target": ["gaussian", "a, b", 'quo"te', "NA", "é"] * 8,
        "value": np.random.default_rng(0).normal(size=40) * 10.0 ** np.arange(-20, 20),
        "missing": [np.nan, 1.0] * 20,
        "seed": range(40),
    }
)


def write_npz(path):
    artifacts.write_arrays(path, ARRAYS, META)


def write_gzip(path):
    artifacts.write_gzip(path, ROWS.to_csv(index=False).encode())


def write_json(path):
    artifacts.write_json(path, {"rows": ROWS.to_dict("list"), "meta": META})


def same(a, b) -> bool:
    if isinstance(a, bytes | dict):
        return a == b
    (arrays, meta), (others, other) = a, b
    equal = [np.array_equal(arrays[k], others[k]) and arrays[k].dtype == others[k].dtype for k in arrays if k in others]
    return meta == other and arrays.keys() == others.keys() and all(equal)


KINDS = pytest.mark.parametrize(
    ("write", "read"),
    [(write_npz, artifacts.read_arrays), (write_gzip, artifacts.read_gzip), (write_json, sealed.read)],
    ids=["npz", "gzip", "json"],
)


def test_arrays_come_back(tmp_path):
    write_npz(tmp_path / "a" / "b.npz")
    arrays, meta = artifacts.read_arrays(tmp_path / "a" / "b.npz")
    assert arrays.keys() == ARRAYS.keys()
    for key, value in ARRAYS.items():
        np.testing.assert_array_equal(arrays[key], np.asarray(value))
        assert arrays[key].dtype == np.asarray(value).dtype
    assert meta == {"status": "ok", "steps": [50, 300], "nothing": None, "nan": None, "é": "σ"}


def test_bytes_come_back(tmp_path):
    write_gzip(tmp_path / "a" / "rows.csv.gz")
    assert artifacts.read_gzip(tmp_path / "a" / "rows.csv.gz") == ROWS.to_csv(index=False).encode()


def test_rows_come_back():
    """Numbers to the last bit, text as it was, "NA" no missing value."""
    rows = schema.SENSITIVITY.frame(
        [{"target": t, "metric": str(i), "fault": "", "share": v, "low": m} for i, (t, v, m, _) in ROWS.iterrows()]
    )
    again = schema.SENSITIVITY.from_csv(schema.SENSITIVITY.to_csv(rows), "rows")
    pd.testing.assert_frame_equal(again, rows, check_exact=True)
    assert list(again["share"]) == list(ROWS["value"])


def test_json_has_no_nan(tmp_path):
    artifacts.write_json(
        tmp_path / "a.json", {"x": [np.float64("nan"), np.float32(0.5), np.int64(3), np.bool_(True), float("inf")], "y": (1, "σ")}
    )
    content = {"x": [None, 0.5, 3, True, None], "y": [1, "σ"]}
    assert sealed.read(tmp_path / "a.json") == content
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["digest", *content]


@KINDS
def test_the_same_content_is_the_same_bytes(tmp_path, monkeypatch, write, read):
    """Whatever the time and the file's name."""
    write(tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2040, 1, 1, 0, 0, 0, 0, 1, 0))
    write(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@KINDS
def test_every_damaged_byte_is_found(tmp_path, write, read):
    """Two bits of every byte in turn: a clear line, or (in time stamps and the like) the very same content.

    Silent damage and tracebacks never. The lowest bit is always one of the two: in a zip's flags it says "encrypted".
    """
    path = tmp_path / "file"
    write(path)
    content, whole = path.read_bytes(), read(path)
    found = 0
    for position in range(len(content)):
        for bit in {0, position % 8}:
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                assert same(read(path), whole), (position, bit)
            except InputError as error:
                found += 1
                assert str(path) in str(error) and "is damaged" in str(error) and "run the suite again" in str(error)
    assert found > len(content)


@KINDS
def test_every_cut_is_found(tmp_path, write, read):
    path = tmp_path / "file"
    write(path)
    content = path.read_bytes()
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="is damaged"):
            read(path)


@KINDS
def test_other_files_are_refused(tmp_path, write, read):
    """A missing file is said to be missing; a pickle is not run."""
    with pytest.raises((InputError, FileNotFoundError), match="none does not exist; run the suite again|No such file"):
        read(tmp_path / "none")
    for content in (b"", b"hello", gzip.compress(b"hello")[:-1], np.random.default_rng(0).bytes(500)):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            read(tmp_path / "other")
    np.savez(tmp_path / "pickled.npz", __meta__=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="is damaged"):
        artifacts.read_arrays(tmp_path / "pickled.npz")


def test_writing_is_whole_or_nothing(tmp_path, monkeypatch):
    """A write that fails leaves the old file and no other; a write that succeeds leaves one file, readable by all."""
    path = tmp_path / "file"
    artifacts.write_bytes(path, b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("replace", "fdopen", "chmod", "fsync"):
        with monkeypatch.context() as patch, pytest.raises(InputError, match="file: No space left on device; mend that and run again"):
            patch.setattr(os, name, full)
            artifacts.write_bytes(path, b"new")
        assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    artifacts.write_bytes(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_readers_never_see_half_a_file(tmp_path, monkeypatch):
    """The file appears by one move: before it the old content is there, in full."""
    path, seen = tmp_path / "file", []
    artifacts.write_bytes(path, b"old")
    replace = os.replace

    def watched(source, target):
        seen.append((path.read_bytes(), os.path.dirname(source) == str(tmp_path)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    artifacts.write_bytes(path, b"new" * 1_000)
    assert seen == [(b"old", True)] and path.read_bytes() == b"new" * 1_000
