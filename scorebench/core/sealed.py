"""JSON files that carry a digest of their own bytes: one that has changed is found when the file is read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorebench.core.errors import InputError

HEAD, TAIL = b'{\n "digest": "', b'",\n'
"""Around the digest, which is of what follows."""


def sealed(value: Mapping[str, Any]) -> bytes:
    """The content of a file; it begins with the digest. Raises ValueError for what JSON lacks, NaN and infinities."""
    rest = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).removeprefix("{\n").encode() + b"\n"
    return HEAD + _digest(rest) + TAIL + rest


def read(path: Path) -> dict[str, Any]:
    """What `sealed` was given. Raises InputError if a byte of the file has changed."""
    content = path.read_bytes()
    stated, tail, rest = content.removeprefix(HEAD).partition(TAIL)
    if not content.startswith(HEAD) or not tail or stated != _digest(rest):
        raise InputError(damaged(path))
    value: dict[str, Any] = json.loads(b"{\n" + rest)
    return value


def digest(path: Path) -> str:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(path: Path, why: str = "it is not what the run wrote") -> str:
    """The line for a file that is not as it was written."""
    return f"{path.as_posix()} is damaged or edited ({why}); run the suite again, and it is made again"


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
