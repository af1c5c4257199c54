"""A target in the plane and its trained sources on a grid: what figures draw as surfaces and fields."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.schema import OK
from scorebench.engine.sources import Source
from scorebench.samplers.base import Density, exact_density
from scorebench.store.maps import of_source
from scorebench.targets.base import Target, has

NODES, MARGIN = 161, 0.25
LEVELS, REACH = 25, 1.3


def maps(target: Target, sources: Sequence[Source], levels: Sequence[float]) -> dict[str, Any]:
    """Log density (node, node) and score (node, node, 2) over `axes` (2, node); of each source, which is of one seed, as far as it has them.

    The nodes span 10,000 exact draws and a quarter more on each side. For the names of sources see `store.maps.of_source`. About the noise `levels` that it is
    trained at, `sigma` (level,) and `blur` (level,), E_p |grad log p_sigma - grad log p|^2 over E_p |grad log p|^2, by 10,000 exact draws:
    what a perfect denoiser has. Raises NotApplicable but for a target in the plane with a known density.
    """
    if target.dim != 2 or not has(target, "log_prob"):
        raise NotApplicable("it is no target in the plane with a known density")
    low, high = target.reference.amin(0), target.reference.amax(0)
    margin = MARGIN * (high - low)
    ends = zip((low - margin).double(), (high + margin).double(), strict=True)
    axes = torch.stack([torch.linspace(float(a), float(b), NODES, dtype=torch.float64) for a, b in ends])
    points = torch.cartesian_prod(*axes)
    arrays: dict[str, Any] = {"axes": axes} | _of(exact_density(target), points)
    for source in sources:
        if source.ended == OK:
            its = _of(source.density, points.float())
            arrays |= {of_source(name, str(source.model), str(source.loss)): array for name, array in its.items()}
    if levels and has(target, "perturbed"):
        sigma = np.geomspace(min(levels) / REACH, max(levels) * REACH, LEVELS)
        x = target.reference.double()
        s = target.score(x)
        gaps = [target.perturbed(float(level)).score(x) - s for level in sigma]
        arrays |= {"sigma": sigma, "blur": [float(gap.square().sum() / s.square().sum()) for gap in gaps]}
    return arrays


def _of(density: Density, points: Tensor) -> dict[str, Tensor]:
    x = points[None, None]  # (seed, 1, node, 2)
    arrays = {}
    with torch.no_grad():
        if has(density, "score_and_log_prob"):
            score, log_prob = density.score_and_log_prob(x)
            arrays["log_prob"] = log_prob[0, 0].view(NODES, NODES).float()
        else:
            score = density.score(x)
        return arrays | {"score": score[0, 0].view(NODES, NODES, 2).float()}
