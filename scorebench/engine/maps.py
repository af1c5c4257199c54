"""A target in the plane and its trained sources on a grid: what figures draw as surfaces and fields."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scorebench.core.schema import OK
from scorebench.engine.sources import Source
from scorebench.samplers.base import Density, exact_density
from scorebench.targets.base import Target, has

NODES, MARGIN = 161, 0.25


def maps(target: Target, sources: Sequence[Source], seeds: int) -> dict[str, Any]:
    """Log density (node, node) and score (node, node, 2) over `axes` (2, node); of each source after its last step, as far as it has them.

    The nodes span 10,000 exact draws and a quarter more on each side. Sources are told by `<model> <loss>/`, and stand for their first seed. Empty
    but for a target in the plane with a known density.
    """
    if target.dim != 2 or not has(target, "log_prob"):
        return {}
    low, high = target.reference.amin(0), target.reference.amax(0)
    margin = MARGIN * (high - low)
    axes = torch.stack([torch.linspace(float(a), float(b), NODES) for a, b in zip(low - margin, high + margin, strict=True)])
    points = torch.cartesian_prod(*axes)
    arrays = {"axes": axes} | _of(exact_density(target), points, 1)
    for source in sources:
        if source.ended == OK:
            its = _of(source.density, points, seeds)
            arrays |= {f"{source.model} {source.loss}/{name}": array for name, array in its.items()}
    return arrays


def _of(density: Density, points: Tensor, seeds: int) -> dict[str, Tensor]:
    x = points.expand(seeds, 1, -1, 2)
    arrays = {}
    with torch.no_grad():
        if has(density, "score_and_log_prob"):
            score, log_prob = density.score_and_log_prob(x)
            arrays["log_prob"] = log_prob[0, 0].view(NODES, NODES).float()
        else:
            score = density.score(x)
        return arrays | {"score": score[0, 0].view(NODES, NODES, 2).float()}
