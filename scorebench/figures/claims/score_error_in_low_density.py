"""The error of a trained score over the plane: small where data is, as large as the score itself between the modes."""

import torch
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from scorebench.claims.beyond.low_density import BETWEEN, EDGE, RATE, TRAINING, WITHIN, two_modes
from scorebench.core import rng
from scorebench.core.spec import parse
from scorebench.engine.training import fit
from scorebench.figures.base import COLOURS, numbers
from scorebench.models.base import over_stack, score
from scorebench.store.results import Results

LABEL = "Score matching where data is rare"
CAPTION = (
    "Mixture of .2 N((-5, -5), I) and .8 N((5, 5), I). Left: error of scores trained on 2,000 points (200 of them are dots), relative to the "
    "true score's size in the modes: dark where there is no data. Right: the same along the diagonal, for the first twenty of the claim's networks; "
    "the square of the claim (white on the left) and the density (its logarithm) are shaded."
)
NEEDS = {"claim": "low-density"}
NETWORKS, HALF = 20, 8.0


def draw(results: Results) -> Figure:
    """A map, and a cut."""
    found, target = numbers(results, "low-density"), two_modes()
    loss, model = parse("loss", "implicit"), parse("model", "mlp_score:width=16")
    fitted = fit(
        target, model, [loss], [RATE], TRAINING, TRAINING.steps, results.claim("low-density")["seed"], list(range(NETWORKS)), "low-density"
    )
    parameters = {k: v[0] for k, v in fitted.parameters[-1].items()}

    def errors(
        x: torch.Tensor,
    ) -> torch.Tensor:  # (n, 2) -> (network, n), root of the squared error over sqrt 2, the score's size in a mode
        with torch.no_grad():
            s = over_stack(score, fitted.module, fitted.gives_energy)(parameters, x.expand(NETWORKS, *x.shape).contiguous())
            return (s - target.score(x)).norm(dim=-1) / 2**0.5

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.4), width_ratios=(1, 1.15))
    axis = torch.linspace(-HALF, HALF, 121)
    mean = errors(torch.cartesian_prod(axis, axis)).median(0).values.reshape(121, 121).T.numpy()
    image = left.imshow(mean, origin="lower", extent=(-HALF, HALF, -HALF, HALF), cmap="viridis_r", norm=LogNorm(0.05, 10))
    figure.colorbar(image, ax=left, label="error of the score / its size in a mode", shrink=0.9, extend="both")
    data = target.sample(200, rng.generator("low density"))
    left.plot(*data.T, ".", color=COLOURS[1], markersize=3, mec="black", mew=0.2)
    left.add_patch(plt.Rectangle((-EDGE, -EDGE), 2 * EDGE, 2 * EDGE, fill=False, ec="white", lw=2))
    left.set(xlabel="$x_1$", ylabel="$x_2$", title="median of twenty networks")

    line = torch.linspace(-HALF, HALF, 401)
    cut = errors(torch.stack([line, line], -1))
    for k, of in enumerate(cut):
        right.plot(line, of, color=COLOURS[0], lw=0.5, alpha=0.6, label="one network" if k == 0 else None)
    right.plot(line, cut.median(0).values, color="black", lw=2, label="median")
    right.axhline(1, color="0.4", ls=":", lw=1.2, label="as large as the score in a mode")
    density = target.log_prob(torch.stack([line, line], -1)).exp()
    right.fill_between(line, 0.01, 0.01 * (1e3 * density / density.max()).clamp_min(1.0), color="0.85", zorder=0, label="density")
    right.axvspan(-EDGE, EDGE, color=COLOURS[8], alpha=0.25, zorder=0, label="the square")
    right.set(yscale="log", xlabel="along the diagonal, $x_1 = x_2$", ylabel="error / size in a mode", ylim=(0.01, 300), xlim=(-HALF, HALF))
    missed = [100 - float(found["measured"][name]) for name in (WITHIN, BETWEEN)]
    right.set_title(f"of 100 networks {missed[0]:.0f} are right in the modes, {missed[1]:.0f} wrong in the square", fontsize=10)
    right.legend(loc="upper center", ncols=2, fontsize=9)
    return figure
