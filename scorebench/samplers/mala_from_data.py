"""Control for trained sources: MALA from exact draws of the target, so that what a source does to its own data is seen apart from the way there.

With small steps it leaves the source's own law invariant: its error is the loss's, and none of it the sampler's. What Langevin does not move in
the budget, the weights of far modes, stays that of the data and is not blamed on the loss.
"""

from dataclasses import dataclass

from scorebench.samplers.mala import MALA

LABEL = "MALA from exact draws"
REFERENCE = "control"
NEEDS = {"source.score", "source.log_prob"}
GRADIENTS = 1
EXACT = True
START = "target"


@dataclass(frozen=True, eq=False)
class MALAFromData(MALA):
    """MALA's hyper-parameters."""
