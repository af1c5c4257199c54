"""A table of one's own, CSV, NPY or Parquet: its rows are draws of an unknown law, of which a third is held out.

Which rows: of a permutation of all, the same for every table of so many rows, the first third is held out and judges (`sample`), the next sixth
chooses learning rates (`validation_sample`), and the rest trains (`training_sample`). With `standardise` each column has mean 0 and standard
deviation 1 over the rows that train. Neither density nor score is known, so that samplers run on what losses have learnt and all is compared with the
held-out rows. Every sampler starts from the Gaussian with the means and variances of the rows that train. Rows whose law has no density, as far as they
show it (`lib.singular`), do not rank what estimates its score. With `noise` the law is that of x + noise * sd * eps, eps ~ N(0, I), sd the columns' standard
deviations: it has one (Vincent 2011). Each draw has noise of its own.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import InputError
from scorebench.core.files import locate
from scorebench.core.options import LARGEST, Blur, Columns, File
from scorebench.store import tables
from scorebench.targets.base import Target, distinct, repeated, untempered
from scorebench.targets.lib.mixture import mixture
from scorebench.targets.lib.singular import why

LABEL = "table {path}"
REFERENCE = "the user's own data"
LACKS = {"log_prob", "score", "perturbed"}
EXAMPLES = ()  # there is none without a file: tests/test_table.py
FEWEST = 12
HELD_OUT, VALIDATION = 3, 6
"""One row in so many."""
RESOLVED = 1e-5
"""The least standard deviation of a column, in units of its largest value, that float32 resolves well."""


def table(*, path: File, columns: Columns | None = None, standardise: bool = True, noise: Blur | None = None) -> Target:
    """The rows of the file at `path`, of all columns or those named. Raises InputError for what is no table of finite numbers."""
    file = locate(path)
    values, names = tables.read(file, columns)
    if len(values) < FEWEST:
        raise InputError(f"{file.name}: it has {len(values)} {'row' if len(values) == 1 else 'rows'} (allowed: {FEWEST} or more)")
    for column, name in enumerate(names):
        if not np.abs(values[:, column]).max() <= LARGEST:
            raise InputError(
                f"{file.name}, column {name!r}: it goes to {np.abs(values[:, column]).max():g} (allowed: up to {LARGEST:g} in size)"
            )
    order = np.random.Generator(np.random.PCG64(len(values))).permutation(len(values))
    judges, chooses, trains = np.split(order, [len(values) // HELD_OUT, len(values) // HELD_OUT + len(values) // VALIDATION])
    mean, spread = values[trains].mean(0), values[trains].std(0)
    for column, name in enumerate(names):
        if not spread[column] > 1e-12 * np.abs(values[:, column]).max():
            raise InputError(f"{file.name}, column {name!r}: it is constant over the rows that train (allowed: columns that vary)")
        if not standardise and not spread[column] >= RESOLVED * np.abs(values[:, column]).max():
            raise InputError(f"{file.name}, column {name!r}: float32 does not resolve its variation as it is (allowed: standardise=true)")
    singular, remarks = why(values, names, trains, judges, noise is not None)
    if singular:
        remarks = (f"nothing follows from a Hyvärinen score, which has no lower bound on a law without a density: {singular}", *remarks)
    if standardise:
        values -= mean
        values /= spread
        mean, spread = np.zeros_like(mean), np.ones_like(spread)
    rows, kept, validation = (torch.tensor(values[part], dtype=torch.float32) for part in (judges, trains, chooses))
    blur = spread * (noise or 0.0)
    centre, variance = (torch.tensor(moment[None], dtype=torch.float32) for moment in (mean, spread**2 + blur**2))
    prior = mixture(torch.ones(1), centre, variance, modes=False)

    def draws(drawn: Callable[[Tensor, int, torch.Generator], Tensor], part: Tensor) -> Callable[[int, torch.Generator], Tensor]:
        if noise is None:
            return partial(drawn, part)
        sigma = torch.tensor(blur, dtype=torch.float32)

        def noised(n: int, generator: torch.Generator) -> Tensor:
            x = drawn(part, n, generator)
            return x + sigma.to(x) * torch.randn(x.shape, generator=generator, device=x.device)

        return noised

    counts = f"{len(kept):,} train, {len(validation):,} choose learning rates, {len(rows):,} are held out and judge"
    target = Target(
        rows.shape[1],
        draws(distinct, rows),
        prior,
        training_sample=draws(repeated, kept),
        validation_sample=draws(repeated, validation),
        rows=len(rows),
        training_rows=len(kept),
        singular=singular,
        remarks=(f"{len(values):,} rows of {values.shape[1]} columns: {counts}", *remarks),
        tempered=lambda temperature: untempered(temperature, target),
    )
    return target
