"""A score network of one's own that was trained elsewhere: a Python file that defines `score(x)`, of torch tensors. The loss `given` leaves it as it is.

    FILES = ["weights.pt"]              # what else the file reads beside itself: it counts, and a run keeps it
    net = MyNetwork()
    net.load_state_dict(torch.load(Path(__file__).parent / "weights.pt", weights_only=True))
    net.eval()
    def score(x): return net(x)         # grad log p, (n, d) -> (n, d), in float32; of an energy, -torch.func.grad(lambda x: energy(x).sum())(x)

In a suite `sources: {"network:path=my_score.py": [given]}`. It is the same for every seed, so that its rows vary by points and chains alone, not by training:
of several trainings each is a source of its own. Of a noise-conditional network, the score at one level.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import vjp, vmap

from scorebench.core import files, rng, script
from scorebench.core.errors import InputError
from scorebench.core.options import File
from scorebench.core.schema import raised

LABEL = "network {path}"
REFERENCE = "the user's own network"
EXAMPLES = ()  # there is none without a file: tests/test_network.py
GIVES = {"score", "given"}
POINTS = 32
"""At which it is looked at: that a unit is dropped at random shows at all but 1 in 2^32."""


class Network(nn.Module):
    """The field: (*, d) -> (*, d). Raises InputError for a file that does not define it."""

    def __init__(self, dim: int, generator: torch.Generator, *, path: File) -> None:
        super().__init__()
        self.score = partial(_checked(files.locate(path), dim))  # its weights are not to be stacked
        self.none = nn.Parameter(torch.zeros((), device=generator.device))  # what is stacked over seeds is parameters

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.score(x.reshape(-1, x.shape[-1]).float()).to(x.dtype).view(x.shape)


@cache
def _checked(file: Path, dim: int) -> Callable[[Tensor], Tensor]:
    """The file's function, which at a few points gives as many finite scores, each of its point alone, the same twice, and can be differentiated."""
    module = script.run(file, "network")
    for value in vars(module).values():
        if isinstance(value, nn.Module):
            value.requires_grad_(False)
    function = getattr(module, "score", None)
    if not callable(function):
        raise InputError(f"{file.name}: it defines no score(x)")
    x = torch.randn(2, POINTS, dim, generator=rng.generator("network", dim))  # as two seeds
    try:
        first, again = function(x[0]), function(x[0])
        if not isinstance(first, Tensor) or first.shape != x[0].shape:
            what = f"shape {tuple(first.shape)}" if isinstance(first, Tensor) else type(first).__name__
            raise InputError(
                f"{file.name}: score(x) gave {what} for points of shape {tuple(x[0].shape)} (allowed: a score of {dim} numbers a point)"
            )
        alone = torch.cat([function(point[None]) for point in x[0]])
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{file.name}: score(x) fails on points of shape {tuple(x[0].shape)}: {raised(error).reason}") from error
    if first.requires_grad:
        raise InputError(f"{file.name}: score(x) wants gradients (allowed: weights after requires_grad_(False))")
    if not first.isfinite().all():
        raise InputError(f"{file.name}: score(x) is not finite at points of N(0, I)")
    if not torch.equal(first, again):
        raise InputError(f"{file.name}: score(x) is not the same twice (allowed: a network in its eval mode)")
    if not torch.allclose(first, alone, rtol=1e-3, atol=1e-4 * float(first.abs().max())):
        raise InputError(f"{file.name}: score(x) at a point depends on the other points (allowed: a network in its eval mode)")
    try:
        vmap(lambda points: vjp(function, points)[1](torch.ones_like(points)))(x)
    except Exception as error:
        raise InputError(f"{file.name}: score(x) cannot be differentiated by torch.func: {raised(error).reason}") from error
    return function
