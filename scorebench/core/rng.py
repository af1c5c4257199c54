"""Named random streams: a generator for each use, seeded by a hash of its names, never by an offset.

Two different names give streams that share nothing; the same names give the same numbers whatever ran before, so a seed, a cell or a
method alone draws what it draws in company. The global generator is never touched.
"""

import hashlib

import torch


def generator(*names: object) -> torch.Generator:
    """A fresh generator, on torch's default device, for the stream with these names: `generator(master, "data", target, seed)`."""
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return torch.Generator(device=torch.get_default_device()).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
