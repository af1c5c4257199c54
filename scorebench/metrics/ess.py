r"""Effective sample size of the trace, bulk, rank-normalised, at its worst over the coordinates (Vehtari et al. 2021, section 4.1).

Of 8 chains x 200 thinned draws: independent draws give 1,600. Geyer's sum over pairs of lags takes 10 draws a chain, 5 in each half: of fewer
the estimate would be the largest that is allowed, n log10(n), whatever the draws are.
"""

import numpy as np
from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.lib.trace import worst_case
from scorebench.targets.base import Target

LABEL = "effective sample size"
REFERENCE = "Vehtari et al. (2021), section 4.1"
ABOUT = "sampler"
NEEDS = {"run.trace"}
DIRECTION = "higher"
FLOOR = False
LOG = True
UNDEFINED = "takes chains that move"

FEWEST = 10


def ess(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell)."""
    from arviz_stats.base import array_stats

    # A chain's share, which leaving chains out does not change; then all of them.
    share = worst_case(lambda t: array_stats.ess(t, chain_axis=-2, draw_axis=-1) / t.shape[-2], run.trace, np.min, FEWEST)
    chains = run.trace.shape[-3]
    return Estimate(chains * share.value, chains * share.standard_error)
