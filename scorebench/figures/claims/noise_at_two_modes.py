"""What the noise does between two modes: it decides where the flow cannot, and does not cross between far modes."""

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.discretisation.noise_prevents_collapse import CROSSED, HALF_WIDTH, NODES, PARTS, SHORT, STARTS, share_from
from scorebench.claims.lib.langevin import langevin, on_line
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.core import rng
from scorebench.figures.base import COLOURS, measured, numbers, told
from scorebench.store.results import Results

LABEL = "With noise and without, at two modes"
CAPTION = (
    "Modes at -2 and 2. Left: without noise x = 0 stays for ever and .1 and .2 always go right. Middle: with noise, paths from the same points "
    "choose either mode and keep its width. Right: the share that is right of 0 at t = 1, by the start; the flow without noise is a step. From "
    "-2 hardly a chain crosses in 10 units of time (± one standard error): noise spreads within a mode, not between far modes."
)
NEEDS = {"claim": "noise-prevents-collapse"}
STEP = 0.001


def draw(results: Results) -> Figure:
    """Paths without noise, with noise, and shares."""
    found = numbers(results, "noise-prevents-collapse")
    target = on_line(*PARTS)
    times = [k * 5 * STEP for k in range(1, 201)]
    grid = [0.0, *times]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 3.9))
    middle.sharey(left)
    for i, start in enumerate(STARTS):
        look = {"color": COLOURS[i], "ls": ("-", "--", "-.")[i]}
        for ax, temperature, paths in ((left, 0.0, 1), (middle, 1.0, 5)):
            x = torch.full((paths, 1), start)
            later = langevin(target, x, STEP, times, rng.generator("two modes", start), temperature)[..., 0]
            for k, path in enumerate(torch.cat([x.T, later]).T):
                ax.plot(grid, path, lw=2.2 if paths == 1 else 0.7, label=f"from {start:g}" if k == 0 else None, **look)
    for ax, title in ((left, "without noise"), (middle, "with noise")):
        ax.axhline(0, color="0.6", lw=0.8, ls=":", zorder=0)
        ax.set(title=title, xlabel="time $t$", ylim=(-3.6, 3.6))
    left.set_ylabel("$x$")
    left.legend(loc="lower left")

    exact = spectrum(*potential_of(*PARTS), 1.0, HALF_WIDTH, NODES)
    spacing = exact.nodes[1] - exact.nodes[0]
    starts = np.flatnonzero(np.abs(exact.nodes) <= 1.0)
    shares = exact.above(np.stack([exact.laws(np.eye(NODES)[k] / spacing, [SHORT])[0] for k in starts]))
    right.plot(exact.nodes[starts], shares, color="black", lw=1.6, label="with noise, predicted")
    right.plot([-1, 0, 0, 1], [0, 0, 1, 1], color="0.5", lw=1.6, ls="--", label="without noise")
    for i, start in enumerate(STARTS):
        measured(right, [start], found.loc[[share_from(start)]], i, f"from {start:g}")
    right.set(xlabel="start $x_0$", ylabel="share right of 0 at $t = 1$", xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1])
    right.text(-0.97, 0.72, f"from -2 instead, at $t = 10$:\n{told(found, CROSSED, 4).replace(', ', ',' + chr(10))}", fontsize=9)
    right.legend(loc="lower right", fontsize=8.5, bbox_to_anchor=(1.0, 0.08))
    return figure
