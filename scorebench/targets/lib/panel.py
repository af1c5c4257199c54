r"""The functions whose means tell how far samples are from their law, with what they should be: the panel.

x_j and x_j^2 of every coordinate, log p(x); where there are modes the indicator of each (of two of the first) and the squared distance from the nearest
centre, without which a ring lets pass a variance within the modes that is several times too large. With M chains, over which f has mean f and variance s^2,

    b^2(f) = [(f - E_p f)^2 - s^2/M - e^2] / Var_p f

the squared bias in units of the law's own variance (Hoffman and Sountsov 2022, eq. 4), less what chance gives it; e is the standard error of E_p f itself.
b = .1 is a mean off by a tenth of a standard deviation, or of x^2 on a Gaussian a variance off by 14 %.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.core.errors import NotApplicable
from scorebench.targets.base import Target, has, nearest

DRAWS, PART = 2**20, 2**15
"""Exact draws that E_p f and Var_p f come from, where they are not known in closed form; so many at a time."""


class Panel(NamedTuple):
    """Functions f with their moments under the law."""

    names: tuple[str, ...]
    values: Callable[[Tensor], Tensor]  # (*, d) -> (*, function), float64
    means: np.ndarray  # (function,), E_p f
    variances: np.ndarray  # (function,), Var_p f
    errors: np.ndarray  # (function,), e^2, the squared standard error of E_p f


def panel(target: Target, about: Tensor | None = None) -> Panel:
    """The panel of a target, squares being of x, or of x less a point (d,). Raises NotApplicable where its law has no exact draws or no fourth moments."""
    if not has(target, "sample"):
        raise NotApplicable("there are no exact draws, nor a reference, to take moments from")
    if target.moments < 4:
        raise NotApplicable("it has no fourth moments, so that the mean of x^2 has no standard error")
    names, values = functions(target, about)
    if "variances" in target.truths:  # a Gaussian
        return Panel(names, values, *_of_gaussian(target, about))
    number = target.at_most(DRAWS)
    generator = rng.generator("panel", target.dim)
    if target.rows is not None:
        sums = _sums(values(target.sample(number, generator)))
    else:
        parts = [_sums(values(target.sample(min(PART, number - done), generator))) for done in range(0, number, PART)]
        sums = np.sum(parts, 0)
    means = sums[0] / number
    variances = sums[1] / number - means**2
    varies = variances > 1e-12 * means**2
    kept = np.flatnonzero(varies)
    part = torch.as_tensor(kept)
    varying = values if varies.all() else lambda x: values(x)[..., part]
    return Panel(tuple(names[k] for k in kept), varying, means[kept], variances[kept], variances[kept] / number)


def functions(target: Target, about: Tensor | None = None) -> tuple[tuple[str, ...], Callable[[Tensor], Tensor]]:
    """Their names and their values, (*, d) -> (*, function), float64."""
    modes = target.modes if has(target, "modes") else None
    names = [f"x{j + 1}{power}" for power in ("", "^2") for j in range(target.dim)]
    names += ["log p"] if has(target, "log_prob") else []
    shown = 0 if modes is None else 1 if len(modes) == 2 else len(modes)
    names += [f"mode {k + 1}" for k in range(shown)] + ["distance^2"] * (modes is not None)

    def values(x: Tensor) -> Tensor:
        wide = x.double()
        parts = [wide, (wide if about is None else wide - about.to(wide)).square()]
        if has(target, "log_prob"):
            parts.append(target.log_prob(x).double()[..., None])
        if modes is not None:
            owner = nearest(x, modes)
            parts += [(owner == k).double()[..., None] for k in range(shown)]
            parts.append((x - modes.to(x)[owner]).double().square().sum(-1, keepdim=True))
        return torch.cat(parts, -1)

    return tuple(names), values


def _sums(values: Tensor) -> np.ndarray:
    return torch.stack([values.sum(0), values.square().sum(0)]).cpu().numpy()


def _of_gaussian(target: Target, about: Tensor | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N(m, diag v): E x^2 = v + m^2, Var x^2 = 2 v^2 + 4 m^2 v; log p has variance d/2."""
    m, v = (target.truths[name].value.double().cpu().numpy() for name in ("mean", "variances"))
    log_prob = -0.5 * (target.dim + np.log(2 * np.pi * v).sum())
    from_it = m if about is None else m - about.double().cpu().numpy()
    means = np.concatenate([m, v + from_it**2, [log_prob]])
    variances = np.concatenate([v, 2 * v**2 + 4 * from_it**2 * v, [target.dim / 2]])
    return means, variances, np.zeros_like(means)
