"""Slips of the article's text that need no experiment: as printed, as meant (LaTeX), and what is wrong. The page lists them below the erratum."""

from typing import NamedTuple


class Slip(NamedTuple):
    """One slip."""

    where: str
    printed: str
    meant: str
    remark: str


SLIPS = (
    Slip("Langevin's equation", r"m \text{ is velocity}", r"m \text{ is mass}", "the velocity is the derivative of x"),
    Slip(
        "the overdamped equation",
        r"\sqrt{2}\,\sigma\,\nabla W",
        r"\sqrt{2}\,\sigma\,dW",
        "a Wiener process has an increment, no gradient in x",
    ),
    Slip("Wiener increments", r"N(t; 0, dt)", r"N(dW; 0, dt)", "the increment is what is Gaussian, not the time"),
    Slip("the drift of equation 158", r"\nabla\log\{p(x)\,dt\}", r"\nabla\log p(x)\,dt", "dt stands outside of the logarithm"),
    Slip("equation 158", r"i = 0, \ldots, K", r"i = 0, \ldots, K - 1", "K + 1 updates as printed, for K steps"),
    Slip(
        "from Langevin to the overdamped equation",
        r"dx = -\nabla V\,dt + \sqrt{2}\,\sigma\,dW",
        r"\lambda\,dx = -\nabla V\,dt + \sqrt{2}\,\sigma\,dW",
        "the friction is dropped without a word: it is set to 1",
    ),
    Slip(
        "forces",
        r"F = m\ddot{x} = F(x)",
        r"m\ddot{x} = -\lambda\dot{x} + F(x) + \eta",
        "one letter for the total force and for that of the potential",
    ),
)
