"""Every claim sees the slips that people make in its experiment (`mutants_of_claims.py`).

Broken, a number that should agree with its prediction does not. Unbroken one disagrees with probability 1e-7, so that what is seen is the slip.
"""

import pytest
from mutants_of_claims import MUTANTS, SHARE
from smaller_claims import shrink

from scorebench.claims.base import CORRECTED, IDENTITY, agrees
from scorebench.core import registry

pytestmark = pytest.mark.usefixtures("afresh")


def test_every_claim_has_one():
    assert {claim.replace("_", "-") for claim, _, _ in MUTANTS} == set(registry.names("claim"))


@pytest.mark.parametrize(("claim", "name", "broken"), MUTANTS, ids=[f"{c}-{n}-{getattr(b, '__name__', b)}" for c, n, b in MUTANTS])
def test_is_seen(monkeypatch, claim, name, broken):
    claim = claim.replace("_", "-")
    module = registry.module("claim", claim)
    shrink(monkeypatch, claim, SHARE)
    predictions = module.predict()
    monkeypatch.setattr(module, name, broken)
    monkeypatch.setattr(module, "predict", lambda: predictions)
    measured = module.measure(11)
    holds = {CORRECTED: True, IDENTITY: False} | getattr(module, "CONDITIONS", {})
    should = [p for p in predictions if holds.get(p.group, module.EXPECTED == "reproduced")]
    assert not all(agrees(p, measured[p.name]) for p in should)
