r"""Effective sample size of the trace, bulk, rank-normalised, at its worst over the coordinates (Vehtari et al. 2021, section 4.1).

Of 8 chains x 200 thinned draws: independent draws give 1,600. Geyer's sum over pairs of lags takes 10 draws a chain, 5 in each half: of fewer
the estimate would be the largest that is allowed, n log10(n), whatever the draws are.

Of chains that have not mixed there is no value. The means of half-chains worth m draws spread by 1/m of the variance within them, and R-hat^2 = 1 + 1/m:
Vehtari et al. (section 4) use a trace with R-hat below 1.01, m = 50, which they call the least for reliable autocorrelations. Here it is R-hat up to 1.05,
m = 10: of 200 draws a chain 1.01 would leave hardly more than independent ones. With m = 33, an effective size of 533, no trace is refused, and the estimate
is off by .13 of it (Sokal 1997, eq. 3.19: sqrt(2 (2 M + 1)/n) with a window of M lags); with 20 it is 1 in 100 and .15, with 5 it is 9 in 10.
"""

import numpy as np
import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.lib.trace import at_worst, split_rhat, worst_case
from scorebench.targets.base import Target

LABEL = "effective sample size"
REFERENCE = "Vehtari et al. (2021), section 4.1"
ABOUT = "sampler"
NEEDS = {"run.trace"}
DIRECTION = "higher"
FLOOR = False
LOG = True
UNDEFINED = "takes chains that move and have mixed: R-hat up to 1.05"

FEWEST, MIXED = 10, 1.05


def ess(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell)."""
    from arviz_stats.base import array_stats

    # A chain's share, which leaving chains out does not change; then all of them.
    share = worst_case(lambda t: array_stats.ess(t, chain_axis=-2, draw_axis=-1) / t.shape[-2], run.trace, np.min, FEWEST)
    chains, mixed = run.trace.shape[-3], at_worst(split_rhat, run.trace, np.max).to(share.value.device) <= MIXED
    return Estimate(*(chains * part.where(mixed, torch.nan) for part in share))
