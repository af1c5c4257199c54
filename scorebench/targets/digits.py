"""Handwritten digits, 8x8: the real input. 1,797 images from scikit-learn, of which every third is held out.

Recipe, fixed: x = (pixel + u)/8.5 - 1 + noise * eps, u uniform on [0, 1), eps ~ N(0, I). The uniform part removes the 17 grey levels, the
Gaussian part gives the three constant pixels and the box's edges a density with a finite score. Training draws come from 1,198
images, exact draws and metrics from the 599 held out. The population's density is unknown, so there is no score to compare with.
"""

import torch
from torch import Tensor

from scorebench.core.options import Grain
from scorebench.targets.base import Target, untempered
from scorebench.targets.lib.mixture import normal

LABEL = "digits"
REFERENCE = "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI; as shipped by scikit-learn"


def digits(*, noise: Grain = 0.1) -> Target:
    """The digits as a target in 64 dimensions; the modes are the ten classes' mean images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels, labels = torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target)
    held_out = torch.arange(len(pixels)) % 3 == 0
    exact, training = pixels[held_out], pixels[~held_out]
    centres = torch.stack([pixels[~held_out & (labels == k)].mean(0) for k in range(10)])

    def draw(images: Tensor, n: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        rows = torch.randint(len(images), (n,), generator=generator, device=device)
        uniform = torch.rand(n, 64, generator=generator, device=device)
        normals = torch.randn(n, 64, generator=generator, device=device)
        return (images.to(device)[rows] + uniform) / 8.5 - 1 + noise * normals

    target = Target(
        dim=64,
        sample=lambda n, generator: draw(exact, n, generator),
        prior=normal(64, 1.0),
        training_sample=lambda n, generator: draw(training, n, generator),
        tempered=lambda temperature: untempered(temperature, target),
        modes=(centres + 0.5) / 8.5 - 1,
    )
    return target
