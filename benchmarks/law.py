"""The two densities that are sampled: a ring of eight Gaussians, whose score is known, and the energy of a network.

Each is one law in the forms that libraries take: a torch module of its energy, its log density and score as functions of torch or JAX, and what
scorebench's loop sees.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from scorebench.core import rng
from scorebench.core.spec import parse
from scorebench.engine.sources import trained
from scorebench.models.base import stack
from scorebench.samplers.base import Density, exact_density
from scorebench.targets.base import Target

RING = "gaussian_mixture:components=8,radius=3,std=0.3"
MLP = "mlp_energy:width=128"


@dataclass(frozen=True, eq=False)
class Law:
    """A density p proportional to exp(-E) in the plane."""

    energy: nn.Module
    """E, (n, 2) -> (n,)."""
    score: Callable[[Tensor], Tensor]
    """-grad E, written out, (n, 2) -> (n, 2), in the type of x."""
    density: Density
    """What scorebench's loop sees; of one seed."""
    in_jax: Callable[[], tuple[Callable[[Any], Any], Callable[[Any], Any]]]
    """-E and -grad E of one point for JAX, (2,) -> () and (2,) -> (2,)."""

    def log_prob(self, x: Tensor) -> Tensor:
        """-E in the type of x, (n, 2) -> (n,)."""
        return -torch.func.functional_call(self.energy, {k: v.to(x.dtype) for k, v in self.energy.state_dict().items()}, (x,))


class Mixture(nn.Module):
    """-log sum_k w_k N(x; m_k, diag v_k), (n, d) -> (n,)."""

    log_peaks: Tensor  # (k,)
    means: Tensor  # (k, d)
    roots: Tensor  # (k, d), 1/sqrt(v)

    def __init__(self, weights: Tensor, means: Tensor, variances: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_peaks", weights.log() - 0.5 * (2 * torch.pi * variances).log().sum(-1))
        self.register_buffer("means", means)
        self.register_buffer("roots", variances.rsqrt())
        self.places = list(zip(self.log_peaks.tolist(), self.means.tolist(), self.roots.tolist(), strict=True))  # as numbers

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        u = (x[:, None] - self.means) * self.roots  # (n, k, d)
        return -(self.log_peaks - 0.5 * u.square().sum(-1)).logsumexp(-1)

    def score(self, x: Tensor) -> Tensor:
        """-sum_k r_k u_k / sqrt(v_k), (n, d) -> (n, d)."""
        return self.broadcast(x.T)[0].T

    def broadcast(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The score (d, n) and log p (n,) of columns (d, n), by broadcasting over the components: of several ways the fastest in plain torch, since
        components come first and shares that would be subnormal, and slow, are cut off at exp(-80).
        """
        places, roots = (b.to(x.dtype).T[..., None] for b in (self.means, self.roots))  # (d, k, 1)
        scaled = [(c - place) * root for c, place, root in zip(x, places, roots, strict=True)]  # (k, n) each
        log_joint = self.log_peaks.to(x.dtype)[:, None] - 0.5 * sum(u.square() for u in scaled)
        largest = log_joint.amax(0)
        shares = (log_joint - largest).clamp(min=-80).exp()
        total = shares.sum(0)
        return torch.stack([-(shares * u * root).sum(0) / total for u, root in zip(scaled, roots, strict=True)]), largest + total.log()

    def unrolled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same, component by component, so that a compiler makes one loop over points of it."""
        columns = x.unbind()
        scaled = [[(c - m) * r for c, m, r in zip(columns, mean, root, strict=True)] for _, mean, root in self.places]
        logs = [peak - 0.5 * sum(u * u for u in us) for (peak, _, _), us in zip(self.places, scaled, strict=True)]
        largest = logs[0]
        for log in logs[1:]:
            largest = torch.maximum(largest, log)
        shares = [(log - largest).clamp(min=-80).exp() for log in logs]
        total = sum(shares)
        sums = [
            sum(e * us[j] * root[j] for e, us, (_, _, root) in zip(shares, scaled, self.places, strict=True)) for j in range(len(columns))
        ]
        return torch.stack([-s / total for s in sums]), largest + torch.log(total)

    def in_jax(self) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        """The log density and the score of one point; unrolled, which XLA makes twenty times faster than a sum over components."""
        import jax.numpy as jnp

        def joint(x: Any) -> tuple[Any, Any, Any, Any]:
            scaled = [[(x[j] - mean[j]) * root[j] for j in range(len(mean))] for _, mean, root in self.places]
            logs = [peak - 0.5 * sum(u * u for u in us) for (peak, _, _), us in zip(self.places, scaled, strict=True)]
            largest = reduce(jnp.maximum, logs)
            shares = [jnp.exp(log - largest) for log in logs]
            return scaled, shares, sum(shares), largest

        def log_prob(x: Any) -> Any:
            _, _, total, largest = joint(x)
            return largest + jnp.log(total)

        def score(x: Any) -> Any:
            scaled, shares, total, _ = joint(x)
            sums = [
                sum(e * us[j] * root[j] for e, us, (_, _, root) in zip(shares, scaled, self.places, strict=True)) for j in range(x.shape[0])
            ]
            return -jnp.stack(sums) / total

        return log_prob, score


def ring() -> tuple[Law, Mixture]:
    """The ring of 8, and its module, which has the score in two ways."""
    target = ring_target()
    means = target.modes
    weights, variances = torch.full((len(means),), 1 / len(means)), torch.full_like(means, 0.3**2)
    module = Mixture(weights, means, variances).to(torch.get_default_device())
    return Law(module, module.score, exact_density(target), module.in_jax), module


def ring_target() -> Target:
    """The same as scorebench's target."""
    target: Target = parse("target", RING).build()
    return target


def mlp_energy(spec: str = MLP) -> Law:
    """The network's energy, its weights as they are drawn before training."""
    model = parse("model", spec)
    module: nn.Module = model.build(2, rng.generator("benchmark", 0)).requires_grad_(False)
    _, parameters = stack(lambda g: model.build(2, g), [rng.generator("benchmark", 0)])
    source = trained(model, parse("loss", "implicit"), 0, {k: v[None][0] for k, v in parameters.items()}, ring_target())
    return Law(module, lambda x: hand_score(weights(module, x.dtype), x), source.density, lambda: mlp_in_jax(module))


def weights(module: nn.Module, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """W_1, b_1, W_2, b_2, w, b of the network with two hidden layers."""
    return [p.to(dtype) for p in module.parameters()]


def hand_score(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """-grad E by the chain rule, written out, (n, d) -> (n, d): grad E = W_1' (sigmoid(z_1) W_2' (sigmoid(z_2) w))."""
    w1, b1, w2, b2, w, _ = parameters
    z1 = torch.addmm(b1, x, w1.T)
    z2 = torch.addmm(b2, nn.functional.softplus(z1), w2.T)
    return -((((z2.sigmoid() * w) @ w2) * z1.sigmoid()) @ w1)


def mlp_in_jax(module: nn.Module) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Minus the energy of one point and its gradient."""
    import jax
    import jax.numpy as jnp

    w1, b1, w2, b2, w, b = (jnp.asarray(p.detach().cpu().numpy()) for p in module.parameters())

    def log_prob(x: Any) -> Any:
        hidden = jax.nn.softplus(w2 @ jax.nn.softplus(w1 @ x + b1) + b2)
        return -(w @ hidden + b)[0]

    return log_prob, jax.grad(log_prob)
