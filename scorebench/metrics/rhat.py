r"""Split R-hat of the trace, rank-normalised, at its worst over the coordinates (Vehtari et al. 2021, section 4).

It can only reject: all chains in one wrong mode give 1. It takes 4 draws a chain, a variance in each half.
"""

import numpy as np
from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.lib.trace import split_rhat, worst_case
from scorebench.targets.base import Target

LABEL = "split R-hat"
REFERENCE = "Vehtari et al. (2021), section 4"
ABOUT = "sampler"
NEEDS = {"run.trace"}
DIRECTION = "lower"
FLOOR = False
LOG = False
UNDEFINED = "takes chains that move"

FEWEST = 4


def rhat(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell)."""
    return worst_case(split_rhat, run.trace, np.max, FEWEST)
