r"""The noise decides where the flow cannot, and keeps a width within a mode; it does not carry samples between far modes.

Statement: the noise keeps samples from mode collapse, which the article explains in parentheses as making the very same image, and lets them hover about
the mode; it gets round the determinism of the score, too, which can be useful where there are two modes, for example.

Prediction. p = 1/2 N(-2, .25) + 1/2 N(2, .25), whose score at 0 is 0.

**Within a mode.** Images that differ, N(2, .0625), 8 standard deviations from the divide, become one without noise: the flow draws them together by
e^(-4t), and their mean distance from 2, .1995, is .0036 at t = 1 (the scheme's, by quadrature over the starts). With noise even one image becomes many:
from 2 alone the mean distance at t = 1 is .40, that of N(2, .25), and a few chains in 10,000 that crossed. **Near the divide.** Without noise .1 and .2 go
right, each of them always: shown, not counted, since the sign of the score has it so. With noise the share right of 0 at t = 1 comes from the spectrum of
the Fokker-Planck operator (`lib.spectral`) from a point: .5 from 0, by symmetry, .711 from .1, .846 from .2, within .01 of the committor int^x e^V / int
e^V of Kramers, since within 1 a chain has chosen.

**Between far modes.** Is noise to be of use at two modes wherever a chain is, one from -2 is right of 0 with p's own share, .5. The barrier is V(0) - V(2)
= 8 - ln 2 = 7.3: the spectral gap is .00248, so that the side is remembered for 400 units of time, and at t = 10 the share is .0119, .02 at the most.

Measurement: the project's own ULA, c = .0005, 18,000 chains a start over t = 1; c = .01, 4,000 chains over t = 10. Euler's law from its transition kernel
(exact to rounding) gives the tolerances, .002 in shares near the divide. The leading number has a standard error of .4 %: an error of 4 % is seen in 9 of
10 runs.

Reference: Song and Ermon (2019), section 3.2.2; Risken (1989), section 5.10, for the rate.
"""

from typing import Any

import numpy as np
import torch

from scorebench.claims.base import CORRECTED, IDENTITY, Measurement, Prediction
from scorebench.claims.lib.estimates import mean
from scorebench.claims.lib.langevin import euler_kernel, gaussian_density, langevin, normal, on_line
from scorebench.claims.lib.spectral import potential_of, spectrum
from scorebench.core.rng import generator

LABEL = "The noise keeps samples from collapsing"
SOURCE = "Sampling Using Langevin Dynamics, below (158), figure with two modes"
QUOTE = (
    "extra noise term으로 생성되는 sample들이 mode collapse되지 않도록 하면서 mode 주위를 맴돌도록 해주는 역할을 합니다. "
    "(즉 똑같은 이미지를 생성하지 않으면서도 mode(최빈값)에 가까울 수록 더 자연스러운 이미지일테니 이 주위를 맴도는 sample을 추출하도록 하는 역할입니다.) "
    "또한 학습된 Score function은 Deterministic하기 때문에 생성 프로세스에 Stochastic한 값을 추가하여 이를 우회하는 의미도 있습니다. "
    "예를 들면 아래 그림처럼 mode가 2개일 때 유용하게 작용할 수 있습니다."
)
TRANSLATION = (
    "[the noise is] an extra noise term, whose role is to keep the samples that are made from mode collapse and to let them hover about the mode. "
    "(That is, to draw samples that hover about it, since the closer to the mode, presumably the more natural the image, and yet not to make the very "
    "same image.) Besides, since the learned score function is deterministic, adding a stochastic value to the generating process has the sense of "
    "getting round that. It can be useful, for example, when there are two modes, as in the figure below."
)
STATEMENT = (
    r"$\sqrt{2c}\,\epsilon$ keeps samples from becoming the same and lets them hover about the mode, and gets round the determinism of the score, "
    r"which can be useful, for example, with two modes"
)
CORRECTION = r"it spreads samples within a mode and near the divide; between far modes it takes $1/\lambda_1 \approx 400$ units of time"
EXPECTED = "qualified"
NEAR, FAR = "near the divide and within a mode", "between far modes"
CONDITIONS = {"near the divide and within a mode": True, "between far modes": False}
REFERENCE = "Song and Ermon (2019), section 3.2.2; Risken (1989), section 5.10"
LEADING = "share right of 0 at t = 1 from 0.2"

PARTS = ((0.5, -2.0, 0.25), (0.5, 2.0, 0.25))
STARTS, MODE, SHORT, LONG = (0.0, 0.1, 0.2), 2.0, 1.0, 10.0
SPREAD, FINE, SHOWN, COARSE, CHAINS, FAR_CHAINS, FEW = 0.0625, 0.0005, 0.001, 0.01, 18_000, 4_000, 0.02
HALF_WIDTH, NODES = 6.0, 481
CROSSED, CROSSED_AS_STATED = (
    "share right of 0 at t = 10 from -2, at most 0.02",
    "share right of 0 at t = 10 from -2, if noise spreads over modes",
)
WIDTH, COLLAPSED = "mean distance from 2 at t = 1 from 2", f"mean distance from 2 at t = 1 from N(2, {SPREAD:g}), without noise"


def share_from(start: float) -> str:
    """The quantity of that name."""
    return f"share right of 0 at t = 1 from {start:g}"


def _without(start: float) -> str:
    return f"share right of 0 at t = 1 from {start:g}, without noise"


def predict() -> list[Prediction]:
    """The spectrum, from points; Euler's kernel for the tolerance."""
    potential, slope, curvature = potential_of(*PARTS)
    exact = spectrum(potential, slope, curvature, 1.0, HALF_WIDTH, NODES)
    spacing = exact.nodes[1] - exact.nodes[0]

    def laws(start: float, t: float, step_size: float) -> np.ndarray:
        """Of the equation and of its scheme, from a point."""
        point = np.zeros(NODES)
        point[np.abs(exact.nodes - start).argmin()] = 1 / spacing
        kernel = euler_kernel(lambda x: -slope(x), step_size, exact.nodes)
        return np.stack([exact.laws(point, [t])[0], np.linalg.matrix_power(kernel, round(t / step_size)) @ point])

    predictions = []
    for start in STARTS:
        share, of_scheme = exact.above(laws(start, SHORT, FINE))
        predictions.append(Prediction(share_from(start), NEAR, {"x0": start}, "", float(share), float(abs(share - of_scheme))))
        if start > 0:
            predictions.append(Prediction(_without(start), IDENTITY, {"x0": start}, "", 1.0))
    width, of_scheme = exact.mean(laws(MODE, SHORT, FINE), lambda x: np.abs(x - MODE))
    flow = exact.nodes
    for _ in range(round(SHORT / FINE)):
        flow = flow - FINE * slope(flow)
    left = exact.mean(gaussian_density(exact.nodes, MODE, SPREAD), lambda x: np.abs(flow - MODE))
    return [
        *predictions,
        Prediction(WIDTH, NEAR, {"x0": MODE}, "x", float(width), float(abs(width - of_scheme))),
        Prediction(COLLAPSED, NEAR, {"variance": SPREAD}, "x", float(left), 1e-6),
        Prediction(CROSSED_AS_STATED, FAR, {"x0": -MODE}, "", 0.5),
        Prediction(CROSSED, CORRECTED, {"x0": -MODE}, "", 0.0, FEW),
    ]


def measure(master: int) -> dict[str, Measurement]:
    """Chains from points, with noise and without."""
    measurements = {}
    for start in STARTS:
        measurements[share_from(start)] = mean(_run(start, SHORT, FINE, CHAINS, master) > 0)
        if start > 0:
            measurements[_without(start)] = Measurement(float(_run(start, SHORT, FINE, 1, master, 0.0) > 0))
    measurements[WIDTH] = mean((_run(MODE, SHORT, FINE, CHAINS, master) - MODE).abs())
    spread = normal(MODE, SPREAD).sample(CHAINS, generator(master, "claim", "noise-prevents-collapse", "spread"))
    (flow,) = langevin(on_line(*PARTS), spread, FINE, (SHORT,), torch.Generator(), 0.0)[..., 0]
    measurements[COLLAPSED] = mean((flow - MODE).abs())
    measurements[CROSSED] = measurements[CROSSED_AS_STATED] = mean(_run(-MODE, LONG, COARSE, FAR_CHAINS, master) > 0)
    return measurements


def picture(master: int) -> dict[str, Any]:
    """What the figure `noise_at_two_modes` draws: paths (start, path, time) with noise and without, and the share that ends right of 0 by the start."""
    target, times = on_line(*PARTS), [k * 5 * SHOWN for k in range(1, 201)]

    def paths(start: float, temperature: float, count: int) -> torch.Tensor:
        x = torch.full((count, 1), start)
        later = langevin(target, x, SHOWN, times, generator("two modes", start), temperature)[..., 0]
        return torch.cat([x.T, later]).T

    exact = spectrum(*potential_of(*PARTS), 1.0, HALF_WIDTH, NODES)
    spacing = exact.nodes[1] - exact.nodes[0]
    near = np.flatnonzero(np.abs(exact.nodes) <= 1.0)
    return {
        "starts": STARTS,
        "times": [0.0, *times],
        "noiseless": torch.stack([paths(start, 0.0, 1) for start in STARTS]),
        "noisy": torch.stack([paths(start, 1.0, 5) for start in STARTS]),
        "x": exact.nodes[near],
        "share": exact.above(np.stack([exact.laws(np.eye(NODES)[k] / spacing, [SHORT])[0] for k in near])),
        "share_names": [share_from(start) for start in STARTS],
        "crossed_name": CROSSED,
        "crossed_share": exact.above(exact.laws(np.eye(NODES)[np.abs(exact.nodes + MODE).argmin()] / spacing, [LONG]))[0],
    }


def _run(start: float, t: float, step_size: float, chains: int, master: int, temperature: float = 1.0) -> torch.Tensor:
    """Positions at t, (chain,)."""
    stream = generator(master, "claim", "noise-prevents-collapse", start, t)
    return langevin(on_line(*PARTS), torch.full((chains, 1), start), step_size, (t,), stream, temperature)[0, :, 0]
