r"""A radial basis energy: a quadratic that holds the mass together, less some bumps where the data are.

E(x) = |x|^2/(2 r^2) - sum_k w_k exp(-|x - m_k|^2/(2 h^2))                                     (after Broomhead and Lowe 1988, eq. 4)

The centres m_k and the weights w_k are learnt; r and h are options. It grows as |x|^2, so that exp(-E) can be normalised whatever is learnt.
"""

import torch
from torch import Tensor, nn

from scorebench.core.options import Count, Positive

LABEL = "radial basis energy"
REFERENCE = "Broomhead and Lowe (1988), eq. 4"
EXAMPLES = ("rbf_energy", "rbf_energy:centres=5,width=0.5")
GIVES = {"score", "log_prob"}  # an energy; a field that is no gradient gives {"score"}


class RBFEnergy(nn.Module):
    """E: (*, d) -> (*)."""

    # First weights come from the generator alone: the same stream, the same model.
    def __init__(self, dim: int, generator: torch.Generator, *, centres: Count = 32, width: Positive = 1.0, reach: Positive = 3.0) -> None:
        super().__init__()
        self.width, self.reach = width, reach
        device = generator.device
        self.centres = nn.Parameter(reach * torch.randn(centres, dim, generator=generator, device=device))
        self.weights = nn.Parameter(0.1 * torch.randn(centres, generator=generator, device=device))

    # Row by row: a point's energy rests on that point alone, whatever the leading axes.
    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        squares = (x[..., None, :] - self.centres).square().sum(-1)  # (*, k)
        bumps = (self.weights * (-squares / (2 * self.width**2)).exp()).sum(-1)
        return x.square().sum(-1) / (2 * self.reach**2) - bumps
