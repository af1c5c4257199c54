"""The weights of far modes: plain Langevin keeps those of its start, annealed Langevin finds the target's."""

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.beyond.mixing_weights import (
    CENTRE,
    EDGE,
    EQUAL,
    PER_LEVEL,
    PLAIN_EQUAL,
    PLAIN_SHARE,
    SHARES,
    SIGMAS,
    STEP_SIZE,
    STEPS,
    VARIANTS,
    share_of,
    two_modes,
)
from scorebench.claims.lib.langevin import langevin
from scorebench.core import rng
from scorebench.engine.loop import run
from scorebench.figures.base import COLOURS, numbers
from scorebench.samplers.annealed import GRADIENTS, Annealed
from scorebench.samplers.base import Density, exact_density
from scorebench.store.results import Results

LABEL = "Weights of far modes, plain and annealed"
CAPTION = (
    "Two modes with weights .2 and .8; every chain starts evenly spread over the dashed square and has 1,000 steps. Plain Langevin leaves half "
    "of the chains in each, whatever the weights; annealed Langevin comes close to the right shares, not exactly. Right: shares as measured, on"
    " the predictions (rings) of the schemes' kernels."
)
NEEDS = {"claim": "mixing-weights"}
CHAINS = 1_000


def draw(results: Results) -> Figure:
    """Chains three times, and the shares."""
    found = numbers(results, "mixing-weights")
    target = two_modes(SHARES, 1.0)
    start = EDGE * (2 * torch.rand(CHAINS, 2, generator=rng.generator("mixing", "start")) - 1)
    (plain,) = langevin(target, start, STEP_SIZE, (STEPS * STEP_SIZE,), rng.generator("mixing", "plain"))
    sampler = Annealed(torch.tensor([[STEP_SIZE]]), torch.ones(1, 1), sigmas=SIGMAS, steps=PER_LEVEL)
    densities = {s: exact_density(two_modes(SHARES, VARIANTS["components"](s))) for s in SIGMAS}
    annealed = run(
        sampler, Density(perturbed=densities.__getitem__), start[None], (STEPS,), [rng.generator("mixing", "annealed")], GRADIENTS
    ).samples[0, 0, 0]
    exact = target.sample(CHAINS, rng.generator("mixing", "exact"))
    figure, (*axes, right) = plt.subplots(1, 4, figsize=(13.0, 3.7), width_ratios=(1, 1, 1, 1.3))
    for k, (ax, x, title) in enumerate(
        zip(axes, (exact, plain, annealed), ("exact draws", "plain Langevin", "annealed Langevin"), strict=True)
    ):
        ax.plot(*x.T, ".", color=COLOURS[k], markersize=2)
        ax.add_patch(plt.Rectangle((-EDGE, -EDGE), 2 * EDGE, 2 * EDGE, fill=False, ec="0.5", ls="--", lw=1))
        share = (x.sum(-1) > 0).double().mean()
        for place, value in ((-CENTRE, 1 - share), (CENTRE, share)):
            ax.text(place, place - 4.6 if place > 0 else place + 3.6, f"{value:.0%}", ha="center", fontsize=12, weight="bold")
        ax.set(title=title, xlabel="$x_1$", aspect="equal", xlim=(-10, 10), ylim=(-10, 10))
    axes[0].set_ylabel("$x_2$")
    rows = [(PLAIN_SHARE, "plain, weights .2 and .8", SHARES), (PLAIN_EQUAL, "plain, weights .5 and .5", EQUAL)]
    rows += [(share_of(v), f"annealed, modes of\nvariance {'σ²' if v == 'components' else '1 + σ²'} at level σ", SHARES) for v in VARIANTS]
    for k, (name, _, weights) in enumerate(rows):
        of = found.loc[[name]]
        right.plot(weights[1], k, "|", color="black", markersize=20, mew=2, label="target" if k == 0 else None)
        right.plot(of["predicted"], [k], "o", mfc="none", color="0.4", markersize=13, label="predicted" if k == 0 else None)
        right.errorbar(
            of["measured"],
            [k],
            xerr=2 * of["standard_error"],
            fmt="D",
            color=COLOURS[2 if k > 1 else 1],
            capsize=4,
        )
    right.plot([], [], "D", color="0.3", label="measured")
    right.set(
        yticks=range(len(rows)),
        yticklabels=[label for _, label, _ in rows],
        xlabel="share in the mode at (5, 5)",
        xlim=(0.45, 0.85),
        ylim=(3.6, -0.6),
    )
    right.legend(loc="lower left", fontsize=9, markerscale=0.6)
    return figure
