r"""Hamiltonian Monte Carlo: a velocity is drawn, Newton's equation followed for a few leapfrog steps, and the end accepted so that p^(1/T) is invariant.

v ~ N(0, T I);   L times   v' = v + h/2 s(x),  x' = x + h v',  v'' = v' + h/2 s(x');   accepted with probability min(1, exp((H(x, v) - H(x', v'))/T)),
H(x, v) = -log p(x) + |v|^2/2                                   (Duane, Kennedy, Pendleton and Roweth 1987; Neal 2011, section 5.3.2)

h = sqrt(2 c): one leapfrog step is `mala`, x' = x + c s(x) + sqrt(2 c T) eps with the same acceptance, and as there c < 2 v is stable on N(0, v).
The leapfrog is reversible and keeps volume, so that the correction is exact at any step; its energy is off by order h^2. On N(0, v) a leapfrog step
turns (x, v) by an angle theta, cos theta = 1 - c/v: a trajectory with L theta near a multiple of pi comes back to where it was, or to the mirror image,
every time, and its chain forgets nothing. The length is fixed here, so leapfrog_steps is to be tuned with the step size.
"""

from dataclasses import dataclass

from torch import Tensor

from scorebench.core.options import Count
from scorebench.samplers.base import Density, Info
from scorebench.samplers.lib.metropolis import metropolis
from scorebench.samplers.mala import MALA, State

LABEL = "HMC"
EXAMPLES = ("hmc:leapfrog_steps=3",)
EQUATION = (
    r"\dot x=v,\quad\dot v=s(x),\quad v(0)\sim N(0,TI),\quad\text{accepted with probability}\quad\min\left(1,e^{(H(x,v)-H(x',v'))/T}\right)"
)
REFERENCE = "Duane, Kennedy, Pendleton and Roweth (1987); Neal (2011), section 5.3.2"
NEEDS = {"source.score", "source.log_prob"}
GRADIENTS = "leapfrog_steps"
TUNES = {"leapfrog_steps"}
EXACT = True


@dataclass(frozen=True, eq=False)
class HMC(MALA):
    """Hyper-parameters: the grid axes, both (grid, 1), c = h^2/2; the leapfrog steps of a trajectory, L."""

    leapfrog_steps: Count = 5

    def step(self, state: State, density: Density, draws: Tensor) -> tuple[State, Info]:
        """One trajectory; draws are (seed, chain, d + 1), eps and the uniform that decides, the same for all cells of the grid."""
        eps, uniform = draws[:, None, :, :-1], draws[:, None, :, -1]
        v = self.temperature[..., None].sqrt() * eps
        proposal, after = leapfrog(state, v, density, (2 * self.step_size[..., None]).sqrt(), self.leapfrog_steps)
        gain = proposal.log_prob - state.log_prob - (after.square() - v.square()).sum(-1) / 2
        return metropolis(proposal, state, gain / self.temperature, uniform)


def leapfrog(state: State, v: Tensor, density: Density, h: Tensor, steps: int) -> tuple[State, Tensor]:
    """Where `steps` steps of length h, (grid, 1, 1), lead from positions and velocities (seed, grid, chain, d)."""
    for _ in range(steps):
        v = v + h / 2 * state.score
        x = state.x + h * v
        state = State(x, *density.score_and_log_prob(x))
        v = v + h / 2 * state.score
    return state, v
