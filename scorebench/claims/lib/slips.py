"""Slips of the article's text that need no experiment: text with mathematics in $. The page lists them below the erratum."""

from typing import NamedTuple


class Slip(NamedTuple):
    """One slip."""

    where: str
    printed: str
    translation: str
    """Of words; "" where a formula is printed."""
    meant: str
    remark: str


SLIPS = (
    Slip(
        "Langevin Dynamics, below its first equation",
        "$m$은 입자의 속도이고",
        "$m$ is the velocity of the particle",
        "$m$ is the mass of the particle",
        "the velocity is the derivative of x",
    ),
    Slip(
        "Langevin Dynamics, above the overdamped equation",
        r"$m \ddot{x} = F = \frac{\partial V(x)}{\partial x}$",
        "",
        r"$m\ddot{x} = -\lambda\dot{x} + F + \eta$",
        "one letter for the total force and for that of the potential",
    ),
    Slip(
        "Langevin Dynamics, the overdamped equation",
        r"$dx=-\nabla V(x)dt+\sqrt{2}\sigma dW$",
        "",
        r"$\lambda\,dx = -\nabla V\,dt + \sqrt{2}\,\sigma\,dW$",
        "from the line above the friction is dropped without a word: it is set to 1",
    ),
    Slip(
        "Steady State of Langevin Dynamics, below the equation with J",
        "값 도 0에 수렴하는 것을 알 수 있습니다",
        r"[of $q_\infty$:] its value converges to 0, too",
        "$J$ converges to 0",
        "a density of mass one does not go to 0 everywhere; zero-current reads it as J",
    ),
    Slip(
        "Steady State of Langevin Dynamics, its last line",
        r"$dx = \nabla\log{p(x)dt}+\sqrt{2}\sigma\nabla W$",
        "",
        r"$dx = \nabla\log p(x)\,dt + \sqrt{2}\,\sigma\,dW$",
        "dt stands outside of the logarithm, and a Wiener process has an increment, no gradient; both are right in the overdamped equation",
    ),
    Slip(
        "Sampling Using Langevin Dynamics, below the Euler-Maruyama equations",
        r"$\Delta W \sim \mathcal{N}(t;0,\Delta t)$",
        "",
        r"$\Delta W \sim \mathcal{N}(\Delta W; 0, \Delta t)$",
        "the increment is what is Gaussian, not the time",
    ),
    Slip(
        "Sampling Using Langevin Dynamics, (158)",
        r"$i=0,1, \ldots, K$",
        "",
        r"$i = 0, 1, \ldots, K - 1$",
        "K + 1 updates as printed, for K steps",
    ),
)
