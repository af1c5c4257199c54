r"""`scorebench reference`: draws of a user's density that others are compared with, by an exact sampler, accepted or refused.

Chains start where every chain of the density starts, which must be at least half as spread as the draws turn out to be. In a pilot the step size is tuned by
the acceptance (Robbins and Monro 1951); then it stays. The run doubles until, of its second half, split R-hat is below 1.01 and 10,000 draws are effective,
of every coordinate and its square (Vehtari et al. 2021), or time is up. R-hat can only reject: it does not miss a mode that no chain has found, nor
the neck of a funnel, where the step is too long: there a chain stands still, and seldom comes. Of windows of 100 steps one in 1,000 may stand still; where
more do the step is halved, and the run begins anew.
"""

import io
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from scorebench.core import files, registry, rng, sealed
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse
from scorebench.engine.target import built
from scorebench.samplers.base import Sampler, exact_density
from scorebench.store import artifacts
from scorebench.store.draws import diagnosed, thinned
from scorebench.suite.jobs import gradients, has_step
from scorebench.targets.base import Target, has

R_HAT, EFFECTIVE, CHAINS, APART = 1.01, 10_000, 4, 0.5
"""What is asked of every coordinate and its square, of so many chains at least, and of the spread of their starts in units of the draws' own."""
MOST, LONGEST = 1_000_000, 525_600
"""Chains and minutes that may be asked for, as of a suite."""
WINDOW, STILL, SELDOM = 100, 0.05, 1e-3
"""A chain stands still where it accepts less than this in so many steps; the share of windows that may."""
ACCEPTED = (0.574, 0.651)
"""The acceptance that a step size is tuned to, of one gradient a step (Roberts and Rosenthal 1998) and of several (Beskos et al. 2013)."""
PILOT, FIRST = 1_000, 2_000
"""Steps of the pilot and of the first round."""
STORED, NUMBERS = 4_000, 2**26
"""Draws a chain that are kept at most, evenly taken, and numbers in all."""


UNKNOWN = {"rhat": (float("inf"), "x1"), "effective": (0.0, "x1")}
"""What is found of no draws."""


class Made(NamedTuple):
    """What a run came to."""

    rows: np.ndarray
    """(draws, d), as many as are effective."""
    record: dict[str, Any]
    short: list[str]
    """What it lacks; nothing of one that is accepted."""


def write(file: Path, out: Path, sampler: str, chains: int, minutes: float, seed: int) -> Made:
    """Make reference draws of the density in a file; where they are accepted write them, and beside them in JSON how they were made.

    Raises InputError for a density that is none, and for a sampler that is not exact.
    """
    spec = checked(out, sampler, chains, minutes, seed)
    target = built(Spec("target", "density", (("path", str(file)),)))
    if missing := [member for _, member in spec.needs if not has(target, member)]:
        raise InputError(f"{file.name}: it has no {missing[0]}, which sampler {str(spec)!r} takes")
    made = _made(target, spec, chains, time.monotonic() + 60 * minutes, seed)
    if not made.short:
        content = io.BytesIO()
        np.save(content, made.rows.astype(np.float32))
        artifacts.write_bytes(out, content.getvalue())
        artifacts.write_json(out.with_suffix(".json"), made.record | {"density": files.identity(file), "sha256": sealed.digest(out)})
    return made


def checked(out: Path, sampler: str, chains: int, minutes: float, seed: int) -> Spec:
    """The sampler. Raises InputError with a line a mistake."""
    spec = parse("sampler", sampler, grid=True)
    if told := [key for key in registry.AXES if key in dict(spec.given)]:
        raise InputError(f"--sampler {sampler!r}: the step size is tuned, and the temperature is 1 (allowed: {spec.without(*told)})")
    if not _usable(spec):
        usable = [name for name in registry.names("sampler") if _usable(Spec("sampler", name))]
        raise InputError(f"--sampler {sampler!r} is not exact, or takes exact draws itself (allowed: {', '.join(usable)})")
    allowed = {
        f"--chains {chains}": (CHAINS <= chains <= MOST, f"{CHAINS} to {MOST}"),
        f"--minutes {minutes:g}": (0 < minutes <= LONGEST, f"more than 0, up to {LONGEST}"),
        f"--seed {seed}": (seed >= 0, "0 or more"),
    }
    if lines := [f"{given} is not allowed (allowed: {words})" for given, (holds, words) in allowed.items() if not holds]:
        raise InputError(*lines)
    if out.suffix != ".npy":
        raise InputError(f"--out {str(out)!r} is not allowed (allowed: a path that ends in .npy)")
    if out.is_dir() or not next(folder for folder in out.absolute().parents if folder.exists()).is_dir():
        raise InputError(f"--out {str(out)!r}: no file can be written there (allowed: a path in a folder)")
    return spec


def _usable(spec: Spec) -> bool:
    facts = spec.entry.facts
    return bool(facts.get("EXACT") and has_step(spec) and "START" not in facts and "PEERS" not in facts)


def _made(target: Target, spec: Spec, chains: int, limit: float, seed: int) -> Made:
    """All in float64, which the acceptance of a far chain takes."""
    assert target.prior is not None
    density, generator = exact_density(target), rng.generator("reference of", seed)
    starts = target.prior.sample(chains, generator).double()
    step_size, temperature = 1e-3 * starts.var(0).mean().expand(1, 1), torch.ones(1, 1, dtype=torch.float64)

    def at(step_size: torch.Tensor) -> Sampler[Any]:
        sampler: Sampler[Any] = spec.build(step_size=step_size, temperature=temperature)
        return sampler

    def moved(sampler: Sampler[Any], state: Any) -> tuple[Any, np.ndarray]:
        draws = sampler.draws(density, (chains, target.dim), generator)[None]
        state, info = sampler.step(state, density, draws)
        return state, torch.as_tensor(info.acceptance, dtype=torch.float64).expand(1, 1, chains)[0, 0].cpu().numpy()

    most = max(min(STORED, NUMBERS // (chains * target.dim)), 100)
    kept: list[np.ndarray] = []
    every, steps, aim, still = 1, 0, FIRST, 0  # windows that stood still
    accepted = before = np.zeros(chains)  # of each chain, up to now and to the window's start
    found = UNKNOWN
    with torch.no_grad():
        state = at(step_size).init(starts[None, None], density)
        wanted = ACCEPTED[gradients(spec) > 1]
        for number in range(1, PILOT + 1):
            if time.monotonic() >= limit:
                break
            state, acceptance = moved(at(step_size), state)
            step_size = step_size * float(np.exp((acceptance.mean() - wanted) / number**0.5))
        sampler = at(step_size)
        while not _settled(found) and time.monotonic() < limit:
            while steps < aim and time.monotonic() < limit:
                state, acceptance = moved(sampler, state)
                steps, accepted = steps + 1, accepted + acceptance
                if steps % WINDOW == 0:
                    still, before = still + int((accepted - before < STILL * WINDOW).sum()), accepted
                if steps % every == 0:
                    kept.append(state.x[0, 0].cpu().numpy())
                if len(kept) == most:
                    kept, every = kept[1::2], 2 * every
            found, aim = diagnosed(_second_half(kept)), 2 * aim
            if _share(still, steps, chains) > SELDOM and time.monotonic() < limit:
                step_size = step_size / 2
                sampler, kept, found = at(step_size), [], UNKNOWN
                every, steps, aim, still, accepted, before = 1, 0, FIRST, 0, np.zeros(chains), np.zeros(chains)
    how = {"sampler": str(spec), "exact": True, "step_size": float(step_size), "acceptance": float(accepted.mean()) / max(steps, 1)}
    record = {**how, "chains": chains, "steps": steps, "seed": seed, **found}
    draws = _second_half(kept) if kept else np.empty((chains, 0, target.dim))
    short = _lacking(found, starts.std(0).cpu().numpy(), draws)
    if (share := _share(still, steps, chains)) > SELDOM:
        short.append(
            f"chains stand still in {share:.2%} of windows of {WINDOW} steps (allowed: {SELDOM:.1%}): where they do, the step is too long"
        )
    return Made(np.empty((0, target.dim)) if short else thinned(draws)[0], record, short)


def _share(still: int, steps: int, chains: int) -> float:
    """Of the windows of all chains, those in which one stood still."""
    return still / max(steps // WINDOW * chains, 1)


def _second_half(kept: list[np.ndarray]) -> np.ndarray:
    """(chains, draws, d)."""
    return np.stack(kept[len(kept) // 2 :], 1)


def _settled(found: dict[str, tuple[float, str]]) -> bool:
    return found["rhat"][0] < R_HAT and found["effective"][0] >= EFFECTIVE


def _lacking(found: dict[str, tuple[float, str]], apart: np.ndarray, draws: np.ndarray) -> list[str]:
    (rhat, of_rhat), (effective, of_effective) = found["rhat"], found["effective"]
    lines = []
    if not rhat < R_HAT:
        lines.append(f"R-hat {rhat:.3f} of {of_rhat} (allowed: below {R_HAT})")
    if not effective >= EFFECTIVE:
        lines.append(f"{effective:,.0f} effective draws of {of_effective} (allowed: {EFFECTIVE:,} or more)")
    spread = draws.std((0, 1)) if draws.size else np.zeros_like(apart)
    if (apart < APART * spread).any():
        k = int((apart / np.maximum(spread, 1e-300)).argmin())
        lines.append(
            f"chains start too near each other: standard deviation {apart[k]:.3g} in x{k + 1}, of the draws {spread[k]:.3g} "
            f"(allowed: {APART} of it or more, by a start(n, generator) that is wider)"
        )
    return lines


def shown(made: Made, out: Path, file: Path) -> str:
    """What the user is told of draws that are accepted."""
    record = made.record
    (rhat, of_rhat), (effective, of_effective) = record["rhat"], record["effective"]
    return (
        f"{out}: {len(made.rows):,} draws by {record['sampler']} at step {record['step_size']:.3g} (acceptance {record['acceptance']:.2f}), "
        f"{record['chains']} chains of {record['steps']:,} steps; R-hat at most {rhat:.4f} ({of_rhat}), "
        f'at least {min(effective, len(made.rows)):,.0f} effective draws ({of_effective}). Say reference = "{out.name}" in {file.name}.'
    )
