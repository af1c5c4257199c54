"""The density q(x, t) of Langevin dynamics between N(0, 1) and N(5, .1), both ways."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.stats import norm

from scorebench.claims.discretisation.two_gaussians import WAYS, kl, law, quantity
from scorebench.claims.lib.langevin import langevin, normal
from scorebench.core import rng
from scorebench.figures.base import COLOURS, measured, numbers
from scorebench.store.results import Results

LABEL = "q(x, t) between two Gaussians"
CAPTION = (
    "Histograms: 20,000 Langevin chains; curves: the law in closed form. Towards N(0, 1) it takes units of time (left); towards the narrow N(5,"
    " .1) tenths, the clock runs ten times as fast (middle). Right: KL to the end falls along the closed form; points are measured on 100,000 "
    "chains."
)
NEEDS = {"claim": "two-gaussians"}
CHAINS = 20_000


def draw(results: Results) -> Figure:
    """A panel each way, and the divergence."""
    found = numbers(results, "two-gaussians")
    figure, (*axes, right) = plt.subplots(1, 3, figsize=(12.0, 3.9))
    for k, (ax, (start, end, times, h)) in enumerate(zip(axes, (WAYS[0], WAYS[2]), strict=True)):
        streams = [rng.generator("q", str(start), use) for use in ("start", "sample")]
        first = normal(*start).sample(CHAINS, streams[0])
        chains = [first, *langevin(normal(*end), first, 5 * h, times, streams[1])]
        x = np.linspace(-3.5, 7, 500) if k == 0 else np.linspace(-3.2, 6.5, 500)
        for i, (t, at) in enumerate(zip((0.0, *times), chains, strict=True)):
            m, v = law(t, start, end)
            ax.hist(at[:, 0].numpy(), bins=90, range=(x[0], x[-1]), density=True, histtype="stepfilled", color=COLOURS[i], alpha=0.3)
            ax.plot(x, norm.pdf(x, m, v**0.5), color=COLOURS[i], ls=("-", "--", "-.", ":")[i], lw=1.8, label=f"$t = {t:g}$")
        ax.set(title=f"from {start} towards {end}", xlabel="$x$", ylabel="$q(x, t)$", xlim=(x[0], x[-1]))
        ax.legend(loc="upper left")
        grid = np.linspace(0, 3, 200)
        right.plot(grid, [kl(law(u * end.variance, start, end), end) for u in grid], color=COLOURS[k], ls=("-", "--")[k], lw=1.6)
        names = [quantity("KL", t, start, end) for t in (0.0, *times)]
        measured(right, [t / end.variance for t in (0.0, *times)], found.loc[names], k, f"towards {end}")
    right.set(
        yscale="log", xlabel="time $t/s$, $s$ the variance of the end", ylabel="KL to the end (nat)", title="both fall like $e^{-2t/s}$"
    )
    right.legend(loc="upper right")
    return figure
