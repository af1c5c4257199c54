r"""Squared bias of samples over the panel by which samplers' work is measured, unbiased: it can be negative, and has mean zero on exact draws.

b^2 = mean over f of [(f - E_p f)^2 - s^2/n - e^2] / Var_p f,   f the mean of f over n chains, s^2 their variance        (Hoffman and Sountsov 2022, eq. 4)

f is every x_j and (x_j - E_p x_j)^2, log p, the weights of modes and the squared distance from the nearest (`targets.lib.panel`), of which the moments are known: no exact
draws add their noise. At n chains an f that is off by b standard deviations is told from none by b^2 against sqrt(2)/n, where a kernel that is narrow has to
tell the same from the chance of all its cells.
"""

from functools import cache

import torch

from scorebench.metrics.base import Estimate, Run, takes
from scorebench.targets.base import Target
from scorebench.targets.lib.panel import Panel, panel

LABEL = "b² of the panel"
REFERENCE = "Hoffman and Sountsov (2022), eq. 4"
ABOUT = "sampler"
NEEDS = {"run.samples", "target.sample"}
MOMENTS = 4
DIRECTION = "lower"
FLOOR = True
LOG = False
SEES = {"lost_mode", "wrong_weights", "wide_modes", "strays"}


def panel_bias(run: Run, target: Target, reference: torch.Tensor) -> Estimate:
    """(seed, cell); the standard error is that of the linear statistic, the squared deviations' slopes held fixed."""
    n = run.samples.shape[-2]
    takes(2, "chains", n)
    its = _panel(target)
    values = its.values(run.samples)  # (seed, cell, n, function)
    means, variances, errors = (torch.as_tensor(part).to(values) for part in (its.means, its.variances, its.errors))
    bias = values.mean(-2) - means
    squares = (bias.square() - values.var(-2) / n - errors) / variances
    influence = (2 * bias[..., None, :] / variances * values).mean(-1)
    return Estimate(squares.mean(-1), influence.std(-1) / n**0.5)


@cache
def _panel(target: Target) -> Panel:
    return panel(target, target.mean)
