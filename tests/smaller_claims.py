"""Claims with a quarter of their chains and draws, and of what is asked of their power: standard errors are twice as large, and so is what must be seen.

What a claim says in full is so asked of it here, too; to 10 % of a standard error, since it is estimated. LESS are those of which a number that must disagree
with its prediction, or a bound, needs more.
"""

import pytest

from scorebench.claims import base
from scorebench.core import registry

SHARE, MARGIN = 4, 1.1
LESS = {
    **{"langevin-sampling": 2, "mala-optimal": 2, "mixing-weights": 2, "splitting-order": 2},
    **{"low-density": 1, "noise-ladder": 1, "sm-efficiency": 1, "start-from-data": 1},
}
"""One in how many is left."""
COUNTS = (
    *("CHAINS", "DRAWS", "PARTICLES", "PATHS", "REPEATS", "SETS", "MODELS", "NETWORKS", "ASCENTS"),
    *(
        "WELL_CHAINS",
        "FAR_CHAINS",
        "QUARTIC_CHAINS",
        "PLANE_CHAINS",
        "RING_CHAINS",
        "EARLY_CHAINS",
        "EXACT_CHAINS",
        "MIXING_CHAINS",
        "MIXING",
        "PLANE_DRAWS",
    ),
)
"""What claims call how many of them there are."""


def shrink(patch: pytest.MonkeyPatch, claim: str, share: int) -> None:
    """Leave one in so many of a claim's chains and draws."""
    module = registry.module("claim", claim)
    for name in COUNTS:
        if hasattr(module, name):
            patch.setattr(module, name, _fewer(getattr(module, name), share))


def _fewer(count, share: int):
    """A number, a number for each of something, or that with the steps of each."""
    if isinstance(count, dict):
        return {of: _fewer(n, share) for of, n in count.items()}
    return (count[0] // share, *count[1:]) if isinstance(count, tuple) else count // share


def shrink_with_its_power(patch: pytest.MonkeyPatch, claim: str) -> None:
    """Leave as few as still come to the verdict, and ask less of them."""
    share = LESS.get(claim, SHARE)
    shrink(patch, claim, share)
    for name in ("LEAST_UNITS", "LEAST_CHAINS"):
        patch.setattr(base, name, getattr(base, name) // share)
    for name in ("LARGEST_ERROR", "SEEN"):
        patch.setattr(base, name, MARGIN * getattr(base, name) * share**0.5)
