"""A step written down once as its tensor operations, where that pays and torch can: the same bits, in a tenth to two thirds of the time.

The transforms (grad, jvp, vmap) are not worked out again at every step. So a loss and a model are pure functions of their arguments: what else they
read (a counter, numpy's random numbers) would stay as it was at first.
"""

from collections.abc import Callable
from typing import Any

WORTH_IT = 100
"""Steps: writing one down takes as long as some fifty."""


def operations(function: Callable[..., Any], *inputs: Any) -> Callable[..., Any]:
    """The operations that `function` does on tensors like `inputs`, without those whose result nobody reads; `function` itself where this torch
    has no tracer, which is an experimental part of it.
    """
    try:
        from torch.fx.experimental.proxy_tensor import make_fx
    except ImportError:
        return function
    traced = make_fx(function)(*inputs)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return traced
