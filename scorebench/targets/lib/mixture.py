r"""Mixtures of Gaussians with diagonal covariances: density, score, draws, tempered and perturbed relatives, all exact.

p(x) = sum_k w_k N(x; m_k, diag v_k),   grad log p(x) = sum_k r_k(x) (m_k - x) / v_k,   r_k = posterior weight of component k.

Tempered, p^(1/T): draws by rejection. For T > 1, (sum_k a_k)^(1/T) <= sum_k a_k^(1/T), so that sum_k w_k^(1/T) N_k^(1/T), itself a
mixture of Gaussians with variances T v_k, is an envelope. For T < 1, draw from p and accept with (p(x)/p_max)^(1/T - 1), p_max
bounded from the distances between the means. Perturbed, p * N(0, sigma^2 I): variances v_k + sigma^2.
"""

import math

import torch
from torch import Tensor

from scorebench.targets.base import NOTHING, Target, Truth, has


def mixture(weights: Tensor, means: Tensor, variances: Tensor, prior: Target | None = None, modes: bool = True) -> Target:
    """The target with these weights (k,), means (k, d) and diagonal variances (k, d)."""
    weights = weights / weights.sum()
    dim = means.shape[-1]
    log_peaks = weights.log() - 0.5 * (2 * math.pi * variances).log().sum(-1)  # (k,)
    precision, scaled = 1 / variances.double(), means.double() / variances  # (k, d)
    offset = log_peaks - 0.5 * (means * scaled).sum(-1)  # squares that cancel: in float64
    exact = (offset, means.double(), scaled, precision)
    rounded = tuple(c.float() for c in exact)

    def constants(x: Tensor) -> list[Tensor]:
        """`exact` with the type and on the device of x: a copy is made for another device, and for a type other than float32 and float64."""
        return [c.to(x) for c in (rounded if x.dtype == torch.float32 else exact)]

    def log_joint(x: Tensor) -> Tensor:  # (*, d) -> (*, k)
        offset, _, scaled, precision = constants(x)
        return offset + x @ scaled.T - 0.5 * x.square() @ precision.T

    def log_prob(x: Tensor) -> Tensor:
        return log_joint(x).logsumexp(-1)

    def score(x: Tensor) -> Tensor:
        _, means, scaled, precision = constants(x)
        if len(weights) == 1:  # the same without the posterior, several times faster
            return (means[0] - x) * precision[0]
        posterior = log_joint(x).softmax(-1)  # (*, k)
        return posterior @ scaled - x * (posterior @ precision)

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return _draw(weights, means, variances, n, generator)

    def tempered(temperature: float) -> Target:
        if temperature == 1:
            return target
        return _tempered(target, weights, means, variances, log_peaks, temperature)

    def perturbed(sigma: float) -> Target:
        return mixture(weights, means, variances + sigma**2, prior, modes)

    mean = weights @ means
    second = weights @ (means.square() + variances).sum(-1)
    closed = weights.new_zeros(())
    target = Target(
        dim,
        sample,
        prior,
        log_prob,
        score,
        tempered=tempered,
        perturbed=perturbed,
        modes=means if modes else NOTHING,
        truths={
            "mean": Truth(mean, torch.zeros_like(mean), "closed form"),
            "second_moment": Truth(second, closed, "closed form"),
            "log_normalizer": Truth(closed, closed, "closed form"),
        },
    )
    return target


def normal(dim: int, variance: float) -> Target:
    """N(0, variance I): the usual prior."""
    return mixture(torch.ones(1), torch.zeros(1, dim), torch.full((1, dim), variance), modes=False)


def _draw(weights: Tensor, means: Tensor, variances: Tensor, n: int, generator: torch.Generator) -> Tensor:
    device = generator.device
    k = torch.multinomial(weights.to(device), n, replacement=True, generator=generator)
    noise = torch.randn(n, means.shape[-1], generator=generator, device=device)
    return means.to(device)[k] + variances.to(device).sqrt()[k] * noise


def _log_bound(means: Tensor, variances: Tensor, log_peaks: Tensor) -> Tensor:
    """An upper bound of log p, close where the modes are far apart.

    A point nearest to m_j lies |m_j - m_k|/2 or further from every other m_k. (The sum of the k peaks is a bound, too, but k times
    too large for far modes, which makes the acceptance k^(1/T - 1) times too small.)
    """
    gaps = (means[:, None] - means).square().sum(-1) / 8  # (k, k), (|m_j - m_k|/2)^2/2
    return (log_peaks - gaps / variances.amax(-1)).logsumexp(-1).amax()


def _tempered(target: Target, weights: Tensor, means: Tensor, variances: Tensor, log_peaks: Tensor, temperature: float) -> Target:
    # N(x; m, v)^(1/T) is N(x; m, T v) times a constant that depends on v alone.
    log_constant = 0.5 * ((temperature * 2 * math.pi * variances).log() - (2 * math.pi * variances).log() / temperature).sum(-1)
    envelope_weights = (weights.log() / temperature + log_constant).softmax(-1)
    envelope_log_z = (weights.log() / temperature + log_constant).logsumexp(-1)
    envelope = mixture(envelope_weights, means, temperature * variances, modes=False)
    bound = _log_bound(means, variances, log_peaks)

    def log_accept(x: Tensor) -> Tensor:
        if temperature > 1:
            return target.log_prob(x) / temperature - envelope_log_z - envelope.log_prob(x)
        return (1 / temperature - 1) * (target.log_prob(x) - bound)

    proposal = envelope if temperature > 1 else target
    single = len(weights) == 1

    def sample(n: int, generator: torch.Generator) -> Tensor:
        if single:
            return envelope.sample(n, generator)
        kept: list[Tensor] = []
        while sum(map(len, kept)) < n:
            x = proposal.sample(max(2 * n, 1_000), generator)
            uniform = torch.rand(len(x), generator=generator, device=generator.device)
            kept.append(x[uniform.log() < log_accept(x)])
        return torch.cat(kept)[:n]

    if single:
        return mixture(weights, means, temperature * variances, target.prior, has(target, "modes"))
    return Target(
        target.dim,
        sample,
        target.prior,
        log_prob=lambda x: target.log_prob(x) / temperature,
        score=lambda x: target.score(x) / temperature,
        normalised=False,
        modes=target.modes,
    )
