r"""Error of the mean in units of the target's spread: |E_q x - E_p x| / sqrt(E_p |x - E_p x|^2), the bias of the first moment.

The truth is closed form where the target knows it, 10,000 exact draws elsewhere.
"""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.targets.base import Target

LABEL = "error of the mean"
REFERENCE = "relative moment error"
ABOUT = "sampler"
NEEDS = {"samples"}
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "shifted", "wrong_weights"}


def mean_error(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell); the standard error is along the direction of the error."""
    x = run.samples
    truth = target.truths["mean"].value if "mean" in target.truths else target.reference.mean(0)
    spread = target.reference.var(0).sum().sqrt().to(x)
    gap = x.mean(-2) - truth.to(x)  # (seed, cell, d)
    size = gap.norm(dim=-1)
    _, error = mean_over_points((x * (gap / size.clamp(min=1e-12)[..., None])[..., None, :]).sum(-1))
    return Estimate(size / spread, error / spread)
