"""Handwritten digits, 8x8: the real input. 1,797 images from scikit-learn, of which the first five of every nine are held out.

Recipe, fixed: x = (pixel + u)/8.5 - 1 + noise * eps, u uniform on [0, 1), eps ~ N(0, I). The uniform part removes the 17 grey levels, the
Gaussian part gives the three constant pixels and the box's edges a density with a finite score. Training draws come from 797 images, each as often as
any other; exact draws and metrics from the 1,000 held out, no image twice in a call, so that two sets of 500 can share none. The population's density is
unknown, so there is no score to compare with.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from scorebench.core.options import Grain
from scorebench.targets.base import Target, distinct, repeated, untempered
from scorebench.targets.lib.mixture import normal

LABEL = "digits"
REFERENCE = "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI; as shipped by scikit-learn"
LACKS = {"log_prob", "score", "perturbed"}


def digits(*, noise: Grain = 0.1) -> Target:
    """The digits as a target in 64 dimensions; the modes are the ten classes' mean images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels, labels = torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target)
    held_out = torch.arange(len(pixels)) % 9 < 5
    training = ~held_out
    centres = torch.stack([pixels[training & (labels == k)].mean(0) for k in range(10)])

    def draw(
        rows: Callable[[Tensor, int, torch.Generator], Tensor], part: Tensor, n: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        device = generator.device
        chosen = rows(part.nonzero(), n, generator).squeeze(-1)
        uniform = torch.rand(n, 64, generator=generator, device=device)
        normals = torch.randn(n, 64, generator=generator, device=device)
        return (pixels.to(device)[chosen] + uniform) / 8.5 - 1 + noise * normals, labels.to(device)[chosen]

    labelled = partial(draw, repeated, training)
    target = Target(
        dim=64,
        sample=lambda n, generator: draw(distinct, held_out, n, generator)[0],
        prior=normal(64, 1.0),
        training_sample=lambda n, generator: labelled(n, generator)[0],
        labelled=labelled,
        rows=int(held_out.sum()),
        tempered=lambda temperature: untempered(temperature, target),
        modes=(centres + 0.5) / 8.5 - 1,
    )
    return target
