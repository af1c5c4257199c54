r"""Precision: the share of chains within the exact draws' manifold, balls around each that reach to its third nearest other.

precision = |{x : |x - y| <= r_3(y) for an exact draw y}| / n               (Kynkaanniemi et al. 2019, eqs. 1-2; k = 3)

In the coordinates as they are, an image's pixels, where they take features of a network. It does not see that the mean of two images is none (.94 of
such means of digits are within), which `classifier_confidence` does. Of exact draws it is below 1: the floor says by how much.
"""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.metrics.lib.neighbours import MOST, NEIGHBOURS, distances, radii
from scorebench.metrics.lib.shares import share
from scorebench.targets.base import Target

LABEL = "precision (k = 3)"
REFERENCE = "Kynkaanniemi et al. (2019), eqs. 1-2"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
DIRECTION = "higher"
FLOOR = True
LOG = False
SEES = {"wide_modes"}


def precision(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains and as many exact draws; the standard error is over the chains, the exact draws held fixed."""
    x, y = run.samples[..., :MOST, :], reference[:, None, :MOST]
    takes(NEIGHBOURS + 1, "exact draws", y.shape[-2])
    reached = distances(x, y.expand(*x.shape[:2], *y.shape[-2:])) <= radii(distances(y, y))[..., None, :]
    return share(reached.any(-1))
