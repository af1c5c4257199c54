"""A log density, or a score, of one's own: a Python file that says `dim` and defines `log_prob(x)`, or `score(x)`, or both, of torch tensors.

    dim = 31
    def log_prob(x): ...                # log p up to a constant, (n, dim) -> (n,), or of one point, (dim,) -> ()
    def score(x): ...                   # grad log p, (n, dim) -> (n, dim), or of one point: a network that someone has trained
    def sample(n, generator): ...       # exact draws, (n, dim), where there is a way to draw; or
    reference = "draws.npy"             # a file of them (`store.draws`), beside this one
    def start(n, generator): ...        # where every chain starts, (n, dim); else N(0, I)
    FILES = ["weights.pt"]              # what else the file reads beside itself: it counts, and a run keeps it

Without a score it is the gradient of the log density, in reverse mode. Where there is a log density the score is compared with its central
differences at points of the start. A function of one point is mapped over a batch; one that takes float64 alone is given it. Without draws what needs
the score alone is measured, and a chain has diverged by the lengths of the start. Losses are not trained on a file of draws, which are there to
judge: `table` splits one.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vmap

from scorebench.core import files, rng, script, sealed
from scorebench.core.errors import InputError, NotApplicable, unknown
from scorebench.core.options import File
from scorebench.core.schema import raised
from scorebench.store.draws import taken
from scorebench.targets.base import Absent, Target, distinct
from scorebench.targets.lib.mixture import normal

LABEL = "density {path}"
REFERENCE = "the user's own density"
EXAMPLES = ()  # there is none without a file: tests/test_density.py
FUNCTIONS = ("log_prob", "score", "sample", "start")
POINTS, COORDINATES, KINKS = 25, 50, 2
"""A score is compared at so many points of the start, in so many coordinates at most; at so many points a kink may explain a difference."""
AGREE = 0.01
"""The largest difference between a score and the slope of the log density, in units of the largest coordinate of either at that point, but for rounding."""

Function = Callable[[Tensor], Tensor]


def density(*, path: File) -> Target:
    """The density of the file at `path`. Raises InputError for a file that does not say what it should."""
    file = files.locate(path)
    module = script.run(file, "density")
    dim = getattr(module, "dim", None)
    if not isinstance(dim, int) or isinstance(dim, bool) or not 1 <= dim <= 100_000:
        raise InputError(f"{file.name}: dim = {dim!r} (allowed: a whole number from 1 to 100000)")
    if not (hasattr(module, "log_prob") or hasattr(module, "score")):
        near = [
            unknown(f"{file.name}: function", name, FUNCTIONS)
            for name in ("logp", "log_p", "logprob", "log_density")
            if hasattr(module, name)
        ]
        raise InputError(*near or [f"{file.name}: it defines neither log_prob nor score (allowed: log_prob(x), score(x), or both)"])
    prior, remarks = _start(file, module, dim)
    x = prior.sample(POINTS + (dim == POINTS), rng.generator("start", dim))  # not as many as coordinates: a batch is told from a point
    log_prob = _function(file, module, "log_prob", x, ()) if hasattr(module, "log_prob") else None
    score = _function(file, module, "score", x, (dim,)) if hasattr(module, "score") else None
    score = partial(_constant, score) if score else None
    if log_prob is not None:
        score = score or _slope(file, log_prob, x)
        log_prob = partial(_constant, log_prob)
        _compare(file, score, log_prob, x)
    assert score is not None
    sample, rows, about_draws = _exact(file, module, dim)

    def tempered(temperature: float) -> Target:
        if temperature == 1:
            return target
        warm = (lambda x: log_prob(x) / temperature) if log_prob else Absent("log density")
        return Target(dim, prior=prior, log_prob=warm, score=lambda x: score(x) / temperature, normalised=False)

    target = Target(
        dim,
        sample,
        prior,
        log_prob or Absent("log density"),
        score,
        normalised=False,
        tempered=tempered,
        training_sample=_untrained if rows else None,
        rows=rows,
        remarks=(*remarks, *about_draws),
    )
    return target


def _untrained(n: int, generator: torch.Generator) -> Tensor:
    raise NotApplicable("its draws judge and do not train")


def _start(file: Path, module: ModuleType, dim: int) -> tuple[Target, list[str]]:
    if not hasattr(module, "start"):
        return normal(dim, 1.0), [f"{file.name} defines no start(n, generator): chains start from N(0, I)"]
    return Target(dim, _drawing(file, module, "start", dim)), []


def _exact(file: Path, module: ModuleType, dim: int) -> tuple[Any, int | None, list[str]]:
    """How to draw, from how many draws if their number is finite, and what to say of it."""
    if hasattr(module, "sample") and hasattr(module, "reference"):
        raise InputError(f"{file.name}: it has both sample and reference (allowed: one of them)")
    if hasattr(module, "sample"):
        return _drawing(file, module, "sample", dim), None, []
    if not hasattr(module, "reference"):
        return (
            Absent("exact sample"),
            None,
            [
                f"{file.name} has neither sample nor reference: only what needs the score alone is measured (scorebench reference makes draws)"
            ],
        )
    path = file.parent / str(module.reference)
    record = path.with_suffix(".json")
    try:
        made = sealed.read(record) if record.is_file() else {}
    except (InputError, OSError):
        made_again = f"make both again, by scorebench reference {file.name}"
        raise InputError(
            f"{record.name} is not what was written with {path.name} (allowed: {made_again}; or draws of others without it)"
        ) from None
    if made and made.get("density") != files.identity(file):
        raise InputError(f"{path.name} was made of another {file.name} (allowed: make it again, by scorebench reference {file.name})")
    rows, remark = taken(path, dim)
    if made and made.get("sha256") != sealed.digest(path):
        raise InputError(
            f"{path.name} is not what {record.name} was written with (allowed: make both again, by scorebench reference {file.name}; or "
            f"draws of others without {record.name})"
        )
    if made:
        remark = f"{path.name}: {len(rows):,} draws by {made['sampler']}, which is exact; R-hat at most {made['rhat'][0]:.4f}"
    return partial(distinct, torch.tensor(rows, dtype=torch.float32)), len(rows), [remark]


def _drawing(file: Path, module: ModuleType, name: str, dim: int) -> Callable[[int, torch.Generator], Tensor]:
    """`sample` or `start`, which must draw from the generator."""

    def draw(n: int, generator: torch.Generator) -> Tensor:
        x = getattr(module, name)(n, generator)
        if not isinstance(x, Tensor) or x.shape != (n, dim) or not x.isfinite().all():
            what = f"{tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"{file.name}: {name}({n}, generator) gave {what} (allowed: a tensor of shape ({n}, {dim}), finite)")
        return x.float()

    try:
        first, again = (draw(3, rng.generator("twice", name)) for _ in range(2))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{file.name}: {name}(3, generator) raised {raised(error).reason}") from error
    if not first.equal(again):
        raise InputError(f"{file.name}: {name}(n, generator) does not take all its random numbers from the generator")
    return draw


def _function(file: Path, module: ModuleType, name: str, x: Tensor, event: tuple[int, ...]) -> Function:
    """A function of the file as one of points (*, dim), whatever it takes; it must be finite at x, and of each point alone."""
    plain: Callable[..., Any] = getattr(module, name)
    reasons: list[str] = []
    for dtype, call in _ways(plain):
        given = x.to(dtype)
        try:
            values = call(given)
            if not isinstance(values, Tensor) or values.shape != (len(x), *event):
                what = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
                raise ValueError(f"it gave {what} for points of shape {tuple(x.shape)}, not {(len(x), *event)}")
            some = slice(0, 3)
            values, alone = values.detach(), torch.cat([call(point[None]) for point in given[some]]).detach()
        except Exception as error:
            reasons.append(raised(error).reason)
            continue
        if torch.allclose(values[some], alone, rtol=1e-3, atol=1e-4 * float(alone.nan_to_num().abs().max()), equal_nan=True):
            if not values.isfinite().all():
                point = x[~values.isfinite().reshape(len(x), -1).all(-1)][0]
                raise InputError(
                    f"{file.name}: {name}(x) is not finite at x = {_shown(point)}, where a chain may start (allowed: another start)"
                )
            return partial(_of_points, call, dtype, event)
        reasons.append("its value at a point depends on the other points")
    raise InputError(f"{file.name}: {name}(x) fails on points of shape {tuple(x.shape)}, and on one: {reasons[0]}")


def _ways(plain: Callable[..., Any]) -> Iterator[tuple[torch.dtype, Function]]:
    for map_it in (lambda f: f, vmap):
        for dtype in (torch.float32, torch.float64):
            yield dtype, map_it(plain)
    for dtype in (torch.float32, torch.float64):  # what vmap does not follow
        yield dtype, lambda x: torch.stack([torch.as_tensor(plain(point)) for point in x])


def _of_points(call: Function, dtype: torch.dtype, event: tuple[int, ...], x: Tensor) -> Tensor:
    return call(x.reshape(-1, x.shape[-1]).to(dtype)).to(x.dtype).view(*x.shape[:-1], *event)


def _constant(function: Function, x: Tensor) -> Tensor:
    """The values of a function that may differentiate inside, and whose parameters may want gradients."""
    with torch.enable_grad():
        values = function(x)
    return values.detach() if values.requires_grad else values


def _slope(file: Path, log_prob: Function, x: Tensor) -> Function:
    def slope(x: Tensor) -> Tensor:
        with torch.no_grad():
            return grad(lambda y: log_prob(y).sum())(x)

    try:
        slope(x)
    except Exception as error:
        raise InputError(f"{file.name}: log_prob(x) has no gradient: {raised(error).reason} (allowed: define score(x), too)") from error
    return slope


def _compare(file: Path, score: Function, log_prob: Function, x: Tensor) -> None:
    """Raises InputError where the score is not the slope of the log density: beyond 1 % of the largest coordinate and what rounding explains."""
    x = x.double()
    step = 1e-3 * (1 + x.abs().amax(-1, keepdim=True))  # (point, 1)
    chosen = torch.linspace(0, x.shape[-1] - 1, min(x.shape[-1], COORDINATES), device=x.device).long()
    shift = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)[chosen] * step[..., None]  # (point, coordinate, dim)
    above, below = log_prob(x[:, None] + shift), log_prob(x[:, None] - shift)
    slope, given = (above - below) / (2 * step), score(x)[:, chosen]
    rounding = 8 * torch.finfo(torch.float32).eps * above.abs() / step
    size = torch.maximum(slope.abs(), given.abs()).amax(-1, keepdim=True)
    wrong = (slope - given).abs() > AGREE * size + rounding
    if wrong.any(-1).sum() > KINKS:
        point = int(wrong.any(-1).nonzero()[0])
        k = int(((slope - given).abs() - rounding)[point].argmax())
        raise InputError(
            f"{file.name}: score(x) is not the gradient of log_prob(x): at x = {_shown(x[point])} coordinate {int(chosen[k]) + 1} of the score is "
            f"{float(given[point, k]):.4g}, the slope of log_prob {float(slope[point, k]):.4g}"
        )


def _shown(x: Tensor) -> str:
    values = [f"{float(value):.4g}" for value in x[:4]]
    return f"[{', '.join(values)}{', ...' if len(x) > 4 else ''}]"
