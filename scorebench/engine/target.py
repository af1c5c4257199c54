"""A configured target, built and looked at once."""

import torch

from scorebench.core import rng
from scorebench.core.shapes import expect
from scorebench.core.spec import Spec
from scorebench.targets.base import Target, has


def built(spec: Spec) -> Target:
    """The target of a spec, of which three points have the shapes that they should. Raises ValueError where they do not, and what its file raises."""
    target: Target = spec.build()
    generator = rng.generator("shapes", target.dim)
    laws = {"the target": target} | ({"the target's prior": target.prior} if target.prior else {})
    for name, law in laws.items():
        x = torch.zeros(3, target.dim)
        if has(law, "sample"):
            x = expect(f"{name}'s sample", law.sample(3, generator), (3, target.dim))
        if has(law, "log_prob"):
            expect(f"{name}'s log density", law.log_prob(x), (3,))
        if has(law, "score"):
            expect(f"{name}'s score", law.score(x), (3, target.dim))
    if has(target, "modes"):
        expect("the target's modes", target.modes, (len(target.modes), target.dim))
    return target
