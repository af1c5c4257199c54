"""A score network, or a log density, of one's own that was trained elsewhere: a Python file, of torch tensors. The loss `given` leaves it as it is.

    FILES = ["weights.pt"]              # what else the file reads beside itself: it counts, and a run keeps it
    net = MyNetwork()
    net.load_state_dict(torch.load(Path(__file__).parent / "weights.pt", weights_only=True))
    net.eval()
    def score(x): return net(x)         # grad log p, (n, d) -> (n, d)

What it is follows from what stands in the file, one of

    def score(x): ...                   # a field
    def log_prob(x): ...                # log p up to a constant, (n, d) -> (n,): an energy, whose score is made here
    SIGMAS = [4, 2, 1, 0.5]             # and either as a function of (x, sigma), sigma (n,): of p * N(0, sigma^2 I) at the levels that it was trained at

In a suite `sources: {"network:path=my_score.py": [given]}`. It is the same for every seed, so that its rows vary by points and chains alone, not by training:
of several trainings each is a source of its own. With noise levels the source that is measured is the lowest, and `annealed` and `probability_flow` go down
those of SIGMAS. It is called in float32, but where float64 is asked for and it gives that.
"""

import inspect
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vjp, vmap

from scorebench.core import files, rng, script
from scorebench.core.errors import InputError
from scorebench.core.options import File
from scorebench.core.schema import raised
from scorebench.core.spec import Spec
from scorebench.suite.jobs import gives, ladder

LABEL = "network {path}"
REFERENCE = "the user's own network"
EXAMPLES = ()  # there is none without a file: tests/test_network.py
GIVES = {"score", "given"}
BY_FILE = {"log_prob": "log_prob", "SIGMAS": "noise_levels"}
LADDER = "SIGMAS"
POINTS = 32
"""At which it is looked at: that a unit is dropped at random shows at all but 1 in 2^32."""

Function = Callable[..., Tensor]


class Network(nn.Module):
    """The field, (*, d) -> (*, d), or the energy, minus the log density, (*, d) -> (*); with noise levels at sigma (*). Raises InputError for a file that
    defines neither.
    """

    def __init__(self, dim: int, generator: torch.Generator, *, path: File) -> None:
        super().__init__()
        file = files.locate(path)
        self.function = partial(_checked(file, dim))  # its weights are not to be stacked
        self.is_energy = "log_prob" in gives(_spec(file))
        self.none = nn.Parameter(torch.zeros((), device=generator.device))  # what is stacked over seeds is parameters

    def forward(self, x: Tensor, *sigma: Tensor) -> Tensor:  # noqa: D102
        at = [level.to(x).expand(x.shape[:-1]).reshape(-1) for level in sigma]
        value = self.function(x.reshape(-1, x.shape[-1]), *at).to(x.dtype)
        return -value.view(x.shape[:-1]) if self.is_energy else value.view(x.shape)


def _spec(file: Path) -> Spec:
    return Spec("model", "network", (("path", str(file)),))


@cache
def _checked(file: Path, dim: int) -> Function:
    """The file's function, which at a few points gives as many finite values, each of its point alone, the same twice, and can be differentiated."""
    module = script.run(file, "network")
    for value in vars(module).values():
        if isinstance(value, nn.Module):
            value.requires_grad_(False)
    name, levels = _said(file, module)
    function: Function = getattr(module, name)
    its, what = (f"{name}(x, sigma)" if levels else f"{name}(x)"), ("a score of {} numbers" if name == "score" else "a number").format(dim)
    x = torch.randn(2, POINTS, dim, generator=rng.generator("network", dim))  # as two seeds
    sigma = [torch.tensor(levels).repeat(POINTS)[:POINTS]] if levels else []
    trains = script.trains(module)
    try:
        first, again = function(x[0], *sigma), function(x[0], *sigma)
        if not isinstance(first, Tensor) or first.shape != (x[0] if name == "score" else x[0, :, 0]).shape:
            gave = f"shape {tuple(first.shape)}" if isinstance(first, Tensor) else type(first).__name__
            raise InputError(f"{file.name}: {its} gave {gave} for points of shape {tuple(x[0].shape)} (allowed: {what} a point)")
        alone = torch.cat([function(*(argument[i : i + 1] for argument in (x[0], *sigma))) for i in range(POINTS)])
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{file.name}: {its} fails on points of shape {tuple(x[0].shape)}: {raised(error).reason}{trains}") from error
    if first.requires_grad:
        raise InputError(f"{file.name}: {its} wants gradients (allowed: weights after requires_grad_(False))")
    if not first.isfinite().all():
        raise InputError(f"{file.name}: {its} is not finite at points of N(0, I)")
    if not torch.equal(first, again):
        raise InputError(f"{file.name}: {its} is not the same twice (allowed: a network in its eval mode{trains})")
    if not torch.allclose(first, alone, rtol=1e-3, atol=1e-4 * float(first.abs().max())):
        raise InputError(f"{file.name}: {its} at a point depends on the other points (allowed: a network in its eval mode{trains})")

    script.alike(file, "network", lambda module: [getattr(module, name)(x[0], *sigma).detach()])

    field = function if name == "score" else grad(lambda y, *at: function(y, *at).sum())

    def slope(points: Tensor) -> Tensor:
        value, pullback, *_ = vjp(lambda y: field(y, *sigma), points)
        return pullback(torch.ones_like(value))[0]

    try:
        vmap(slope)(x)
    except Exception as error:
        often = "" if name == "score" else " twice"
        raise InputError(f"{file.name}: {its} cannot be differentiated{often} by torch.func: {raised(error).reason}") from error
    if name == "log_prob":

        def lowest(call: Function) -> Function:
            return lambda y: call(y, *(torch.full((len(y),), level).to(y) for level in levels[-1:]))

        script.resolved(file, lowest(function), lowest(field), x[0])
    return function if _gives_double(function, x[0], *sigma) else partial(_in_single, function)


def _said(file: Path, module: ModuleType) -> tuple[str, tuple[float, ...]]:
    """The name of the file's function, and the noise levels."""
    named = [name for name in ("score", "log_prob") if callable(getattr(module, name, None))]
    if len(named) != 1:
        what = "both score and" if named else "neither score nor"
        hint = "; log_prob(x) is -energy(x)" if hasattr(module, "energy") else ""
        raise InputError(f"{file.name}: it defines {what} log_prob (allowed: one of them{hint})")
    (name,), spec = named, _spec(file)
    if name not in files.says(spec):
        raise InputError(f"{file.name}: {name} is not defined at the file's top (allowed: def {name}, or {name} = ...)")
    levels, function = ladder(spec), getattr(module, name)
    if hasattr(module, LADDER) and not levels:
        raise InputError(
            f"{file.name}: {LADDER} = {module.SIGMAS!r} (allowed: two or more numbers above 0 that fall, written out, as [4, 2, 1, 0.5])"
        )
    if levels and not _takes(function, 2):
        raise InputError(f"{file.name}: there is {LADDER}, and {name} takes no sigma (allowed: {name}(x, sigma), or no {LADDER})")
    if not levels and _takes(function, 2) and not _takes(function, 1):
        raise InputError(f"{file.name}: {name} takes a noise level, and there is no {LADDER} (allowed: {LADDER} = [4, 2, 1, 0.5], say)")
    return name, levels


def _takes(function: Any, arguments: int) -> bool:
    try:
        inspect.signature(function.forward if isinstance(function, nn.Module) else function).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def _gives_double(function: Function, *inputs: Tensor) -> bool:
    try:
        return function(*(argument.double() for argument in inputs)).dtype == torch.float64
    except Exception:  # weights in float32
        return False


def _in_single(function: Function, *inputs: Tensor) -> Tensor:
    return function(*(argument.float() for argument in inputs))
