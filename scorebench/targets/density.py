"""A log density, or a score, of one's own: a Python file that says `dim` and defines `log_prob(x)`, or `score(x)`, or both, of torch tensors.

    dim = 31
    def log_prob(x): ...                # log p up to a constant, (n, dim) -> (n,), or of one point, (dim,) -> ()
    def score(x): ...                   # grad log p, (n, dim) -> (n, dim), or of one point: a network that someone has trained
    def sample(n, generator): ...       # exact draws, (n, dim), where there is a way to draw; or
    reference = "draws.npy"             # a file of them (`store.draws`), beside this one
    def start(n, generator): ...        # where every chain starts, (n, dim); else N(0, I)
    FILES = ["weights.pt"]              # what else the file reads beside itself: it counts, and a run keeps it

Without a score it is the gradient of the log density, in reverse mode. Where there is a log density the score is compared with its central
differences at points of the start. Draws are compared with the log density, or else the score (`lib/drawn.py`). A file that defines something else each
time it is run is refused, as is a log density so large that float32 rounds it by what an accept step decides on. A function of one point is mapped over a
batch; one that takes float64 is given it where it is asked for, one that takes it alone always. Without draws what needs the score alone is measured, and a
chain has diverged by the lengths of the start. Losses are not trained on a file of draws, which are there to judge: `table` splits one.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from scorebench.core import files, rng, script, sealed
from scorebench.core.errors import InputError, NotApplicable, unknown
from scorebench.core.options import File
from scorebench.core.schema import raised
from scorebench.store.draws import taken
from scorebench.targets.base import Absent, Target, distinct
from scorebench.targets.lib import drawn
from scorebench.targets.lib.mixture import normal

LABEL = "density {path}"
REFERENCE = "the user's own density"
EXAMPLES = ()  # there is none without a file: tests/test_density.py
FUNCTIONS = ("log_prob", "score", "sample", "start")
POINTS, COORDINATES, KINKS = 25, 50, 2
"""A score is compared at so many points of the start, in so many coordinates at most; at so many points a kink may explain a difference."""
AGREE = 0.01
"""The largest difference between a score and the slope of the log density, in units of the largest coordinate of either at that point, but for rounding."""
FAR_OUT, FALLS, RISES = (1e3, 1e6, 1e9), -0.9, 0.5
"""How far out along an axis a log density is looked at; the slope in log |x| above which it is said not to fall, -1 being that of the last law without a
finite mass, and the one above which it rises."""
MORE = 500
"""Points of the start at which a gradient is looked at."""
DRAWS, FEWEST, NUMBERS, SECONDS = 5_000, 400, 2**22, 0.5
"""Draws that are compared with the density, of which a fifth proposes; so many at least, so many numbers at most, and about so long where more than the
fewest would take longer; ten times as long for those."""
FAR = 0.02
"""A smaller share of far steps sees no weights."""

Function = Callable[[Tensor], Tensor]


def density(*, path: File) -> Target:
    """The density of the file at `path`. Raises InputError for a file that does not say what it should."""
    file = files.locate(path)
    module = script.run(file, "density")
    dim = _dim(file, module)
    if not (hasattr(module, "log_prob") or hasattr(module, "score")):
        raise InputError(_neither(file, module))
    prior, remarks = _start(file, module, dim)
    x = prior.sample(POINTS + (dim == POINTS), rng.generator("start", dim))  # not as many as coordinates: a batch is told from a point
    log_prob, dtype = _function(file, module, "log_prob", x, ()) if hasattr(module, "log_prob") else (None, x.dtype)
    score: Function | None = partial(_constant, _function(file, module, "score", x, (dim,))[0]) if hasattr(module, "score") else None
    if log_prob is not None:
        own = score is not None
        score = score or _slope(file, log_prob, x, prior)
        log_prob = partial(_constant, log_prob)
        _compare(file, score, log_prob, x, dtype, own)
        script.resolved(file, log_prob, score, x.double())
    assert score is not None
    tails = _tails(file, score, log_prob, x)
    script.alike(file, "density", lambda module: _values(file, module, dim, x))
    sample, rows, about_draws = _exact(file, module, dim, partial(_drawn, file, dim, score, log_prob))

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
        remarks=(*remarks, *tails, *about_draws),
    )
    return target


def _dim(file: Path, module: ModuleType) -> int:
    dim = getattr(module, "dim", None)
    if isinstance(dim, Integral) and not isinstance(dim, bool) and 1 <= int(dim) <= 100_000:
        return int(dim)
    if hasattr(module, "dim"):
        raise InputError(f"{file.name}: dim = {dim!r} (allowed: a whole number from 1 to 100000)")
    near = [
        f"{name} = {value}"
        for name, value in vars(module).items()
        if isinstance(value, Integral) and (name.lower() in ("d", "n") or "dim" in name.lower())
    ]
    hint = f"; {near[0]} is not read" if near else _inside(module, "dim")
    raise InputError(f"{file.name}: dim is not defined at the file's top{hint} (allowed: dim = 2, say, a whole number from 1 to 100000)")


def _neither(file: Path, module: ModuleType) -> str:
    for name in ("logp", "log_p", "logprob", "log_density", "logpdf", "log_pdf"):
        if hasattr(module, name):
            return unknown(f"{file.name}: function", name, FUNCTIONS)
    energy = [f"; log_prob(x) is -{name}(x)" for name in ("energy", "potential") if hasattr(module, name)]
    hint = energy[0] if energy else _inside(module, "log_prob") or _inside(module, "score")
    return f"{file.name}: it defines neither log_prob nor score (allowed: log_prob(x), score(x), or both{hint})"


def _inside(module: ModuleType, member: str) -> str:
    """What to say of a member that a class or an object of the file has, and not the file."""
    its = (name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__ and hasattr(value, member))
    return "".join(f"; {name}.{member} is not looked at" for name in list(its)[:1])


def _values(file: Path, module: ModuleType, dim: int, x: Tensor) -> Iterator[Tensor]:
    """What a run of the file defines, in numbers."""
    x = x[: 3 + (dim == 3)]  # as in `density`
    for name, event in (("log_prob", ()), ("score", (dim,))):
        if hasattr(module, name):
            yield _constant(_function(file, module, name, x, event)[0], x)
    for name in ("sample", "start"):
        if hasattr(module, name):
            yield _drawing(file, module, name, dim)(3, rng.generator("twice", name))


def _untrained(n: int, generator: torch.Generator) -> Tensor:
    raise NotApplicable("its draws judge and do not train")


def _start(file: Path, module: ModuleType, dim: int) -> tuple[Target, list[str]]:
    if not hasattr(module, "start"):
        return normal(dim, 1.0), [f"{file.name} defines no start(n, generator): chains start from N(0, I)"]
    return Target(dim, _drawing(file, module, "start", dim)), []


def _exact(file: Path, module: ModuleType, dim: int, compared: Callable[..., list[str]]) -> tuple[Any, int | None, list[str]]:
    """How to draw, from how many draws if their number is finite, and what to say of it; `compared` with the density unless they were made of it here."""
    if hasattr(module, "sample") and hasattr(module, "reference"):
        raise InputError(f"{file.name}: it has both sample and reference (allowed: one of them)")
    if hasattr(module, "sample"):
        draw = _drawing(file, module, "sample", dim)
        return draw, None, compared("sample", draw, None)
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
    draw = partial(distinct, torch.tensor(rows, dtype=torch.float32))
    return draw, len(rows), [remark, *([] if made else compared(path.name, draw, len(rows)))]


def _drawn(
    file: Path, dim: int, score: Function, log_prob: Function | None, name: str, draw: Callable[..., Tensor], rows: int | None
) -> list[str]:
    """What to say of draws that are compared with the density. Raises InputError where they are of another law."""
    generator = rng.generator("drawn", dim)
    what, function, calls, fewest = (
        ("log_prob", log_prob, drawn.STEPS, FEWEST) if log_prob else ("score", score, 1, drawn.IDENTITIES * 5 // 4)
    )
    n = min(rows or DRAWS, DRAWS, NUMBERS // dim)
    try:
        for some in (POINTS, FEWEST):  # what a point takes: of few an upper bound
            x, started = draw(min(some, n), generator).double(), time.process_time()
            function(x)
            each = calls * (time.process_time() - started) / some
            if each * fewest > 10 * SECONDS:
                return [f"{file.name}: {name} is not compared with {what}, which takes too long"]
        n = min(n, max(int(SECONDS / max(each, 1e-9)), fewest))
        if n < fewest:
            return [f"{file.name}: {name} is not compared with {what}: {n} draws are too few (allowed: {fewest:,})"]
        others, x = draw(n, generator).double().split([n // 5, n - n // 5])
        if (still := (x == x[:1]).all(0)).any():
            raise InputError(
                f"{file.name}: coordinate {int(still.nonzero()[0]) + 1} of the draws of {name} is one number (allowed: draws of that density)"
            )
        values = function(x)
        usable = values.reshape(len(x), -1).isfinite().all(-1)
        outside = float((values == -torch.inf).double().mean()) if log_prob else 0.0
        if outside > 0.01:
            raise InputError(f"{file.name}: log_prob(x) is -inf at {outside:.1%} of the draws of {name} (allowed: draws of that density)")
        moved = drawn.metropolis(function, x[usable], others, generator) if log_prob else drawn.stein(values[usable], x[usable], others)
    except InputError:
        raise
    except Exception as error:
        return [f"{file.name}: {name} is not compared with {what}, which raises {raised(error).reason}"]
    if not moved.name:
        return [f"{file.name}: {name} is not compared with {what}: no Metropolis step went anywhere"]
    if abs(moved.t) > moved.limit:
        which = "Metropolis steps, which leave its law as it is, take it to" if log_prob else "by Stein's identity it is"
        raise InputError(
            f"{file.name}: {name} does not draw from the law of {what}(x): over {n:,} draws the mean of {moved.name} is {moved.drawn:.4g}; {which} "
            f"{moved.wanted:.4g}, {abs(moved.t):.1f} standard errors off (allowed: {moved.limit:.1f}; draws of that law)"
        )
    lost = len(x) - int(usable.sum())
    remarks = [f"{file.name}: {what} is not finite at {lost} of {len(x):,} draws of {name}: these were left out"] if lost else []
    if moved.far < FAR:
        remarks.append(
            f"{file.name}: {name} agrees with {what} near each draw; whether modes that lie apart have their weights was not seen"
        )
    return remarks


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


def _function(file: Path, module: ModuleType, name: str, x: Tensor, event: tuple[int, ...]) -> tuple[Function, torch.dtype]:
    """A function of the file as one of points (*, dim), whatever it takes, and its precision; it must be finite at x, of each point alone, and of no chance."""
    plain: Callable[..., Any] = getattr(module, name)
    reasons: list[str] = []
    for call in _ways(plain):
        takes: list[torch.dtype] = []
        for dtype in (torch.float32, torch.float64):
            given, some = x.to(dtype, copy=True), slice(0, 3)
            try:
                values = call(given)
                if not isinstance(values, Tensor) or values.shape != (len(x), *event):
                    what = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
                    raise ValueError(f"it gave {what} for points of shape {tuple(x.shape)}, not {(len(x), *event)}")
                values = values.detach().clone()
                again = values if takes else call(x.to(dtype, copy=True)).detach()
                alone = torch.cat([call(point[None]) for point in x.to(dtype, copy=True)[some]]).detach()
            except Exception as error:
                reasons.append(raised(error).reason)
                continue
            if not values.is_floating_point():
                raise InputError(f"{file.name}: {name}(x) gives {values.dtype} (allowed: floating-point numbers)")
            if not given.equal(x.to(dtype)):
                raise InputError(f"{file.name}: {name}(x) changes x (allowed: x - 1, say, or x = x.clone() first; not x -= 1 nor x[0] = 1)")
            size = float(values.nan_to_num(0, 0, 0).abs().max())
            if not torch.allclose(values, again, rtol=0, atol=8 * torch.finfo(torch.float32).eps * size, equal_nan=True):
                allowed = f"a function of x alone, without random numbers{script.trains(module)}"
                raise InputError(f"{file.name}: {name}(x) is not the same twice (allowed: {allowed})")
            if not torch.allclose(values[some], alone, rtol=1e-3, atol=1e-4 * float(alone.nan_to_num(0, 0, 0).abs().max()), equal_nan=True):
                reasons.append("its value at a point depends on the other points")
            elif not takes and not values.isfinite().all():
                point = x[~values.isfinite().reshape(len(x), -1).all(-1)][0]
                raise InputError(
                    f"{file.name}: {name}(x) is not finite at x = {script.shown(point)}, where a chain may start (allowed: another start)"
                )
            elif not takes or values.dtype == dtype and values.isfinite().all():
                takes.append(dtype)
        if takes:
            return partial(_of_points, call, takes, event), takes[-1]
    raise InputError(f"{file.name}: {name}(x) fails on points of shape {tuple(x.shape)}, and on one: {reasons[0]}{script.trains(module)}")


def _ways(plain: Callable[..., Any]) -> Iterator[Function]:
    yield plain
    yield vmap(plain)
    yield lambda x: torch.stack([torch.as_tensor(plain(point), dtype=x.dtype) for point in x])  # what vmap does not follow


def _of_points(call: Function, takes: list[torch.dtype], event: tuple[int, ...], x: Tensor) -> Tensor:
    dtype = x.dtype if x.dtype in takes else takes[0]
    return call(x.reshape(-1, x.shape[-1]).to(dtype)).to(x.dtype).view((*x.shape[:-1], *event))


def _constant(function: Function, x: Tensor) -> Tensor:
    """The values of a function that may differentiate inside, and whose parameters may want gradients."""
    with torch.enable_grad():
        values = function(x)
    return values.detach() if values.requires_grad else values


def _slope(file: Path, log_prob: Function, x: Tensor, prior: Target) -> Function:
    """The gradient of a log density, which must be finite wherever that is: at x, and at MORE points of the start where that takes no time."""

    def slope(x: Tensor) -> Tensor:
        with torch.no_grad():
            return grad(lambda y: log_prob(y).sum())(x)

    started = time.process_time()
    try:
        s = slope(x)
    except Exception as error:
        raise InputError(f"{file.name}: log_prob(x) has no gradient: {raised(error).reason} (allowed: define score(x), too)") from error
    if time.process_time() - started < SECONDS * POINTS / MORE:
        x = prior.sample(min(MORE, NUMBERS // x.shape[-1]), rng.generator("start", "more", x.shape[-1]))
        s = slope(x).where(_constant(log_prob, x).isfinite()[:, None], 0)
    if not s.any() and len(_constant(log_prob, x).unique()) > 1:
        raise InputError(
            f"{file.name}: autograd does not follow log_prob(x), which has no score(x) beside it: its gradient is 0 at all of {len(x)} points (allowed: "
            "operations of torch that have one, no .long(), .round() or .detach(); or define score(x), too)"
        )
    if (wrong := ~s.isfinite().all(-1)).any():
        raise InputError(
            f"{file.name}: the gradient of log_prob is {float(s[wrong][0][~s[wrong][0].isfinite()][0])} at x = {script.shown(x[wrong][0])}, where log_prob is "
            "finite (a torch.where whose other branch is nan, the root of 0? allowed: a gradient wherever a chain may start, or define score(x), too)"
        )
    return slope


def _tails(file: Path, score: Function, log_prob: Function | None, x: Tensor) -> list[str]:
    """What to say where a law has no finite mass along some axis, by its slope in log |x|; of a score, by x times it.

    Raises InputError where it rises along all: an energy, or a score of the wrong sign.
    """
    axes = torch.eye(x.shape[-1], dtype=torch.float64, device=x.device)[_some(x)]
    axes = torch.cat([axes, -axes])
    scales = torch.tensor(FAR_OUT, dtype=torch.float64, device=x.device)[:, None]
    points = x[0].double() + scales[..., None] * axes
    try:
        if log_prob is not None:
            slopes = log_prob(points).diff(dim=0) / scales.log().diff(dim=0)
        else:
            slopes = (scales * (score(points) * axes).sum(-1))[1:]
            slopes = slopes.where(slopes != 0, torch.nan)  # outside a support
    except Exception:
        return []
    what = "log_prob(x)" if log_prob is not None else "the law of score(x)"
    if (slopes > RISES).all():
        raise InputError(
            f"{file.name}: {what} rises without end along every axis (allowed: log p, or its gradient; of an energy E, -E, or -grad E)"
        )
    lasting = (slopes > FALLS).all(0)
    if not lasting.any():
        return []
    at = points[-1, int(lasting.nonzero()[0])]
    hint = "; is it the density, and not its logarithm?" if log_prob is not None and lasting.all() and (log_prob(x) >= 0).all() else ""
    return [f"{file.name}: {what} does not fall towards x = {script.shown(at)}: its mass is not finite, and chains may never settle{hint}"]


def _some(x: Tensor) -> Tensor:
    """Coordinates, COORDINATES at most."""
    return torch.linspace(0, x.shape[-1] - 1, min(x.shape[-1], COORDINATES), device=x.device).long()


def _compare(file: Path, score: Function, log_prob: Function, x: Tensor, dtype: torch.dtype, own: bool) -> None:
    """Raises InputError where the score is not the slope of the log density: beyond 1 % of the largest coordinate and what rounding explains.

    Rounding: 8 units in the last place of `dtype`, and what second differences show of parts that are computed in less.
    """
    x = x.double()
    step = 1e-3 * (1 + x.abs().amax(-1, keepdim=True))  # (point, 1)
    chosen = _some(x)
    shift = nn.functional.one_hot(chosen, x.shape[-1]) * step[..., None]  # (point, coordinate, dim)
    above, below = log_prob(x[:, None] + shift), log_prob(x[:, None] - shift)
    slope, given = (above - below) / (2 * step), score(x)[:, chosen]
    bent = (above - 2 * log_prob(x)[:, None] + below).abs().amax(-1)
    in_single = dtype == torch.float32 or above.equal(above.float().double())
    eps = torch.finfo(torch.float32 if in_single else torch.float64).eps
    rounding = (8 * eps * above.abs() + 4 * bent[bent.isfinite()].mean().nan_to_num(0)) / step
    size = torch.maximum(slope.abs(), given.abs()).amax(-1, keepdim=True)
    wrong = (slope - given).abs() > AGREE * size + rounding
    if wrong.any(-1).sum() > KINKS:
        point = int(wrong.any(-1).nonzero()[0])
        k = int(((slope - given).abs() - rounding)[point].argmax())
        what, allowed = (
            ("score(x) is not the gradient of log_prob(x)", "")
            if own
            else (
                "autograd does not follow log_prob(x), which has no score(x) beside it",
                " (allowed: operations of torch all the way, no .item(), float(x[0]), .detach(), .numpy() or torch.tensor(x); or define score(x), too)",
            )
        )
        raise InputError(
            f"{file.name}: {what}: at x = {script.shown(x[point])} coordinate {int(chosen[k]) + 1} of the {'score' if own else 'gradient'} is "
            f"{float(given[point, k]):.4g}, the slope of log_prob {float(slope[point, k]):.4g}{allowed}"
        )
