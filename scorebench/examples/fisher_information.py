r"""The mean square of a Gaussian's score is d/v: the narrower a law, the larger its score.

Statement: E |grad log p(x)|^2 = d/v on N(0, v I).

Prediction. s(x) = -x/v, so that E|s|^2 = E|x|^2/v^2 = d v/v^2 = d/v. A quarter of the variance makes it four times as large.

Measurement: 200,000 exact draws for each of v = 1/2 and 2, d = 2, and the package's own score. |x|^2/v is chi-squared with 2 degrees of freedom: the
standard error is 1/sqrt(n), .22 %, so that an error of 1.5 % is seen in 9 of 10 runs.

Reference: Cover and Thomas (2006), section 17.7.
"""

from scorebench.claims.base import AS_WRITTEN, Measurement, Prediction
from scorebench.core.rng import generator
from scorebench.targets.gaussian import gaussian

LABEL = "A score's mean square is d/v on a Gaussian"
SOURCE = "an example"
STATEMENT = r"$E\,|\nabla\log p(x)|^2 = d/v$ on $N(0, v I)$"  # text, with LaTeX between $
EXPECTED = "reproduced"  # registered before measuring
REFERENCE = "Cover and Thomas (2006), section 17.7"
LEADING = "E|s|^2 at v = 0.5"  # the number that stands for the claim in tables

DRAWS, DIM, VARIANCES = 200_000, 2, (0.5, 2.0)


def predict() -> list[Prediction]:
    """Closed form, never the code under test."""
    return [Prediction(f"E|s|^2 at v = {v:g}", AS_WRITTEN, {"v": v, "d": DIM}, "1/x^2", DIM / v) for v in VARIANCES]


def measure(master: int) -> dict[str, Measurement]:
    """Exact draws; every stream is named after the master seed."""
    measurements = {}
    for v in VARIANCES:
        target = gaussian(dim=DIM, variance=v)
        squares = target.score(target.sample(DRAWS, generator(master, "claim", "fisher-information", v))).double().square().sum(-1)
        error = float(squares.std()) / DRAWS**0.5
        measurements[f"E|s|^2 at v = {v:g}"] = Measurement(float(squares.mean()), error, DRAWS, "draws")
    return measurements
