"""Mean probability of acceptance, over steps and chains; 1 for a sampler that rejects nothing."""

from torch import Tensor

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.targets.base import Target

LABEL = "acceptance"
REFERENCE = "Roberts and Rosenthal (1998)"
ABOUT = "sampler"
NEEDS = {"run.acceptance"}
DIRECTION = "none"
FLOOR = False
LOG = False


def acceptance(run: Run, target: Target, reference: Tensor) -> Estimate:
    """(seed, cell); the chains are the independent units."""
    takes(2, "chains", run.chains)
    return Estimate(run.acceptance, run.acceptance_sd / run.chains**0.5)
