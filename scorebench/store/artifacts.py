"""Reading and writing under results/: atomic (a file is whole or absent) and checked when read (zip and gzip carry a CRC, JSON a digest)."""

import gzip
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scorebench.core import sealed
from scorebench.core.errors import InputError, surroundings

META = "__meta__"


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file in one move, when its content is on the disk: no reader ever sees half of it. Raises InputError where it cannot be written."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}{UNFINISHED}")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise surroundings(error, path) from None


UNFINISHED = ".unfinished-"
TEMPORARY = f"[.]?*{UNFINISHED}????????"
"""The names of what a killed process has left of `write_bytes`."""


def write_json(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write JSON that carries its digest (`core.sealed`); NaN and infinities, which JSON lacks, become null."""
    write_bytes(path, sealed.sealed(_finite(value)))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_arrays(path: str | Path, arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
    """Write named arrays (tensors, too) with a JSON-able `meta` as one npz."""
    buffer = io.BytesIO()
    plain = {k: np.asarray(v.detach().cpu() if hasattr(v, "detach") else v) for k, v in arrays.items()}
    np.savez(buffer, allow_pickle=False, **plain, **{META: np.array(json.dumps(_finite(dict(meta))))})
    write_bytes(path, buffer.getvalue())


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_arrays` wrote. Raises InputError if a byte of it has changed, or if it is gone."""
    path = Path(path)
    content = _content(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
        return arrays, json.loads(str(arrays.pop(META)))
    # RuntimeError: one bit of a zip's flags says that it is encrypted.
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, KeyError, EOFError, RuntimeError) as error:
        raise InputError(sealed.damaged(path, str(error))) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # no fault of the method that asked for it: the job fails, and is done again
        raise InputError(f"{path.as_posix()} does not exist; run the suite again, and it is made again") from None


def write_gzip(path: str | Path, content: bytes) -> None:
    """Write bytes gzipped: the same content gives the same file."""
    write_bytes(path, gzip.compress(content, compresslevel=1, mtime=0))


def read_gzip(path: str | Path) -> bytes:
    """Read what `write_gzip` wrote. Raises InputError if a byte of it has changed, or if it is gone."""
    path = Path(path)
    content = _content(path)
    try:
        if not content:
            raise EOFError("it is empty")
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(sealed.damaged(path, str(error))) from None
