"""Named random streams: a generator for each use, seeded by a hash of its names, never by an offset.

Two different names give streams that share nothing; the same names give the same numbers whatever ran before, so a seed, a cell or a
method alone draws what it draws in company. The global generator is never touched.
"""

import hashlib

import torch


def generator(*names: object, device: str | torch.device = "cpu") -> torch.Generator:
    """A fresh generator for the stream with these names, for example `generator(suite.seed, "train", target, seed)`."""
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
