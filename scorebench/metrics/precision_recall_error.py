r"""What is wrong with either precision or recall: 1 - F_1, F_1 their harmonic mean.

error = 1 - 2 P R / (P + R)               (P, R of Kynkaanniemi et al. 2019, eqs. 1-2; F_1 as in Sajjadi et al. 2018, section 3.3)

Either alone is had for nothing: one good draw repeated has precision 1, noise that is wider than the data recalls all. A kernel that is narrow enough to see
the shape of few coordinates has no neighbours in many: there this ranks. Of exact draws it is above 0: the floor says by how much.
"""

import torch
from torch import Tensor

from scorebench.metrics.base import Estimate, Run
from scorebench.metrics.precision import precision
from scorebench.metrics.recall import recall
from scorebench.targets.base import Target

LABEL = "precision-recall error (1 - F1)"
REFERENCE = "Kynkaanniemi et al. (2019), eqs. 1-2; Sajjadi et al. (2018), section 3.3"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"wide_modes", "duplicated", "lost_mode"}


def precision_recall_error(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains and as many exact draws; 1 where both are 0. The standard error is as if both parts' were independent."""
    r, p = recall(run, target, reference), precision(run, target, reference)
    both = (p.value + r.value).clamp(min=1e-12)
    slopes = 2 * (r.value / both).square(), 2 * (p.value / both).square()
    return Estimate(1 - 2 * p.value * r.value / both, torch.hypot(slopes[0] * p.standard_error, slopes[1] * r.standard_error))
