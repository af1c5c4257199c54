"""Claims with fewer chains or draws than a run has: as few as leave them able to tell what they tell.

How few follows from the standard errors of the reference run, which grow by the square root of the share that is left out. The leading one stays below
what the rule of claims allows, so that an error of 5 % is seen as it is there; a number that must disagree with its prediction is off by five standard
errors more than is allowed; of chains, or other units, there are as many as the rule asks for.
"""

import json
from pathlib import Path

import pytest

from scorebench.claims.base import IDENTITY, LARGEST_ERROR, LEAST_CHAINS, LEAST_UNITS, allowed
from scorebench.core import registry

REFERENCE = Path("results/reference/article/claims").absolute()
MARGIN, SHARES = 0.9, (4, 3, 2, 1)
"""Of the largest standard error, since it is estimated; one in how many is left."""
WHOLE = {"mala-optimal", "mixing-weights", "noise-ladder", "start-from-data"}
"""Claims that no smaller experiment decides."""
COUNTS = (
    *("CHAINS", "DRAWS", "PARTICLES", "PATHS", "REPEATS"),
    *("WELL_CHAINS", "FAR_CHAINS", "QUARTIC_CHAINS", "PLANE_CHAINS", "RING_CHAINS"),
)
"""What claims call how many of them there are."""
LEVELS = {"z-intractable": 250}
"""Of 1,000 between two laws: the leading standard error of 2,000 chains is .4 %."""


def share(claim: str) -> int:
    """Of a claim's chains and draws one in so many will do."""
    result = json.loads((REFERENCE / f"{claim}.json").read_text())
    most = [1.0 if claim in WHOLE else SHARES[0]]
    for q in result["quantities"]:
        error, n, off = q["standard_error"], q["n"], abs(q["measured"] - q["predicted"])
        if q["group"] == IDENTITY or not error:
            continue
        most.append(n / (LEAST_CHAINS if n >= LEAST_CHAINS else LEAST_UNITS))
        if q["name"] == result["leading"]:
            most.append((MARGIN * LARGEST_ERROR * max(abs(q["predicted"]), abs(q["measured"])) / error) ** 2)
        if not q["agrees"]:
            most.append((off / (allowed(error, n, q["tolerance"]) + 5 * error)) ** 2)
    return next((one for one in SHARES if one <= min(most)), 1)


def shrink(patch: pytest.MonkeyPatch, claim: str, share: int) -> None:
    """Leave one in so many of a claim's chains and draws, or fewer levels."""
    module = registry.module("claim", claim)
    if claim in LEVELS:
        patch.setattr(module, "LEVELS", LEVELS[claim])
        return
    for name in COUNTS:
        if hasattr(module, name):
            count = getattr(module, name)
            patch.setattr(module, name, {of: n // share for of, n in count.items()} if isinstance(count, dict) else count // share)
