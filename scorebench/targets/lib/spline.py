r"""A function of one number that is dear, as a cubic spline: for single precision, which does not tell the two apart.

On an interval [y, y + h], t = (x - y)/h:  f(x) = c_0 + c_1 t + c_2 t^2 + c_3 t^3, f, f' and f'' continuous; its error is at most 5/384 h^4 max |f''''|
(de Boor 2001, chapter V). The intervals are halved until at every midpoint the spline is within 1e-7 of the function, so that 1e-6 holds between them, rounding
of single precision and all.
"""

from collections.abc import Callable
from functools import cache

import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

INTERVALS, HALVED = 512, 5
"""At first, and how often they are halved at most."""
ERROR = 1e-7
"""Of a spline at a midpoint, in units of the function there and of `scale` together."""

Function = Callable[[Tensor], Tensor]


def tabulated(function: Function, reach: float, scale: float) -> Function:
    """The spline of a function, (n,) -> (n,) in float64, within `reach` of 0, the function itself beyond, (*) -> (*) of any type. A function that so many
    intervals do not hold stays what it is.
    """
    reach = 2.0 ** torch.tensor(reach).log2().ceil().item()  # so that nodes are numbers of float32, and differences from them exact
    for intervals in INTERVALS * 2 ** torch.arange(HALVED + 1):
        nodes = torch.linspace(-reach, reach, 2 * int(intervals) + 1, dtype=torch.float64)
        values = function(nodes)
        spline = CubicSpline(nodes[::2].numpy(), values[::2].numpy())
        off = (torch.from_numpy(spline(nodes[1::2].numpy())) - values[1::2]).abs()
        if (off <= ERROR * (values[1::2].abs() + scale)).all():
            return _read(function, spline, reach)
    return lambda x: function(x.double().flatten()).view(x.shape).to(x.dtype)


def _read(function: Function, spline: CubicSpline, reach: float) -> Function:
    width = float(spline.x[1] - spline.x[0])
    exact = torch.from_numpy(spline.c[::-1].T.copy()) * width ** torch.arange(4, dtype=torch.float64)  # (interval, 4)

    @cache
    def table(dtype: torch.dtype, device: torch.device) -> Tensor:
        return exact.to(device, dtype)

    def read(x: Tensor) -> Tensor:
        rows = x.flatten()
        place = ((rows + reach) / width).long().clamp(0, len(exact) - 1)
        t = (rows - (place * width - reach)) / width
        c0, c1, c2, c3 = table(x.dtype, x.device)[place].unbind(-1)
        values = c0 + t * (c1 + t * (c2 + t * c3))
        beyond = ~(rows.abs() <= reach)
        if beyond.any():
            values = values.masked_scatter(beyond, function(rows[beyond].double()).to(x.dtype))
        return values.view(x.shape)

    return read
