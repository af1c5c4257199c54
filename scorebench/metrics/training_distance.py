r"""How near chains are to the points that trained, in units of how near exact draws are: below 1 the training points are remembered.

ratio = E_x min_t |x - t| / E_y min_t |y - t|,   t of 2,000 training draws, y exact draws            (after Meehan et al. 2020, section 2)

Of a finite set that trains, as the digits, these are all of it, once or more, each with noise of its own; exact draws are of those held out. It is about memory
alone: samples far from all data have a ratio above 1, which precision sees.
"""

from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.metrics.base import Estimate, Run, mean_over_points
from scorebench.metrics.lib.neighbours import MOST, distances
from scorebench.targets.base import Target

LABEL = "distance to the training points"
REFERENCE = "nearest-neighbour ratio; after Meehan et al. (2020), A non-parametric test to detect data-copying"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample", "target.training_sample"}
MOMENTS = 2
DIRECTION = "higher"
FLOOR = True
LOG = False
SEES = {"narrow_modes"}

TRAINING = 2_000


def training_distance(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell), of the first 500 chains; the standard error is over the chains, the exact draws held fixed."""
    if target.training_sample is None:
        raise NotApplicable("no draws of the target train")
    training = target.training_sample(TRAINING, rng.generator("training points", target.dim))
    x, y = (distances(points[..., :MOST, :], training).amin(-1) for points in (run.samples, reference))
    own = y.double().mean(-1, keepdim=True)  # (seed, 1)
    mean, error = mean_over_points(x)
    return Estimate(mean / own, error / own)
