r"""Mixtures of Gaussians with diagonal covariances: density, score, draws, tempered and perturbed relatives, all exact.

p(x) = sum_k w_k N(x; m_k, diag v_k),   grad log p(x) = - sum_k r_k(x) u_k / sqrt(v_k),   u_k = (x - m_k) / sqrt(v_k),

r_k the posterior weight of component k. Differences are squared, never expanded: squares that cancel would lose what the place or the width of a
component has in excess of seven digits. Perturbed, p * N(0, sigma^2 I): variances v_k + sigma^2.

Tempered, p^(1/T): draws by rejection. For T > 1, (sum_k a_k)^(1/T) <= sum_k a_k^(1/T), so that sum_k w_k^(1/T) N_k^(1/T), itself a mixture of
Gaussians with variances T v_k, is an envelope, of which one in K^(1 - 1/T) or more is accepted. For T < 1, draw from p and accept with
(p(x)/p_max)^(1/T - 1), p_max from above to a factor exp(T/(1 - T)), which costs a factor e at most. Since log p(x* + h) >= log p_max - sum_j h_j^2 c_j/2 at
the maximum x*, c_j = sum_k r_k(x*)/v_kj (Jensen), at least T^(d/2) p_max prod_j sqrt(2 pi/c_j) / e is accepted: the share of the highest peak times
T^(d/2). Where fewer than 1 in 10,000 are, drawing is given up in words.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from scorebench.core.errors import NotApplicable
from scorebench.core.options import LARGEST, SMALLEST
from scorebench.targets.base import NOTHING, Target, Truth, has
from scorebench.targets.lib.rows import rowwise, rowwise_all

ENOUGH, FEWEST = 100_000, 1e-4
"""Rejection is given up where after so many proposals less than this share is accepted."""
NOUGHT = -80
"""The logarithm of a share that counts as nothing: below it numbers of float32 are subnormal, and slow."""
BOXES = 2**16
"""The search for the maximum stops at so many boxes."""


def mixture(weights: Tensor, means: Tensor, variances: Tensor, prior: Target | None = None, modes: bool = True) -> Target:
    """The target with these weights (k,), means (k, d) and diagonal variances (k, d)."""
    weights = weights / weights.sum()
    shares, centres, spreads = (c.double() for c in (weights, means, variances))
    shares = shares / shares.sum()
    count, dim = means.shape
    log_peaks = shares.log() - 0.5 * (2 * math.pi * spreads).log().sum(-1)  # (k,)
    exact = (log_peaks[:, None], centres.T[..., None], spreads.rsqrt().T[..., None])  # (k, 1), (d, k, 1), (d, k, 1)

    @cache
    def constants(dtype: torch.dtype, device: torch.device) -> list[Tensor]:
        return [c.to(device, dtype) for c in exact]

    def joint(rows: Tensor) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
        """Of points (n, d): the largest log w_k N_k (n,), w_k N_k as a share of it (k, n), each coordinate's u (k, n), and 1/sqrt(v) (d, k, 1)."""
        peaks, places, roots = constants(rows.dtype, rows.device)
        differences = [(x - place) * root for x, place, root in zip(rows.T.contiguous(), places, roots, strict=True)]
        log_joint = peaks
        for u in differences:
            log_joint = torch.addcmul(log_joint, u, u, value=-0.5)
        largest = log_joint.amax(0)
        return largest, (log_joint - largest).clamp(min=NOUGHT).exp(), differences, roots

    def log_prob_of(largest: Tensor, share: Tensor) -> Tensor:
        return largest + share.sum(0).log()

    def score_of(share: Tensor, differences: list[Tensor], roots: Tensor) -> Tensor:
        sums = torch.stack([(share * u * root).sum(0) for u, root in zip(differences, roots, strict=True)])
        return (-sums / share.sum(0)).T

    def log_prob(x: Tensor) -> Tensor:
        return rowwise(lambda rows: log_prob_of(*joint(rows)[:2]), x, count)

    def score(x: Tensor) -> Tensor:
        if count == 1:  # the same without the posterior, several times faster
            _, places, roots = constants(x.dtype, x.device)
            return (places[:, 0, 0] - x) * roots[:, 0, 0].square()
        return rowwise(lambda rows: score_of(*joint(rows)[1:]), x, count)

    def score_and_log_prob(x: Tensor) -> tuple[Tensor, Tensor]:
        def of(rows: Tensor) -> tuple[Tensor, Tensor]:
            largest, share, differences, roots = joint(rows)
            return score_of(share, differences, roots), log_prob_of(largest, share)

        s, value = rowwise_all(of, x, count)
        return s, value

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return _draw(weights, means, variances, n, generator)

    def tempered(temperature: float) -> Target:
        if temperature == 1:
            return target
        return _tempered(target, weights, means, variances, temperature)

    def perturbed(sigma: float) -> Target:
        return mixture(weights, means, variances + sigma**2, prior, modes)

    mean = shares @ centres
    closed = mean.new_zeros(())
    target = Target(
        dim,
        sample,
        prior,
        log_prob,
        score,
        score_and_log_prob=score_and_log_prob if count > 1 else None,
        tempered=cache(tempered),
        perturbed=perturbed,
        modes=means if modes else NOTHING,
        truths={
            "mean": Truth(mean, torch.zeros_like(mean), "closed form"),
            "variance": Truth(shares @ ((centres - mean).square() + spreads).sum(-1), closed, "closed form"),
            "log_normalizer": Truth(closed, closed, "closed form"),
        }
        | ({"variances": Truth(spreads[0], torch.zeros_like(mean), "closed form")} if count == 1 else {}),
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


def log_maximum(target: Target, weights: Tensor, means: Tensor, variances: Tensor, tolerance: float) -> float:
    """An upper bound of log p, above its maximum by `tolerance` at most where the boxes suffice.

    Branch and bound. The maximum lies in the box of the means, since to its nearest point in the box no coordinate is further from any mean. In a box
    log p is no more than log sum_k w_k N_k with each mean at its least distance from the box; a box that may hold more than the best centre is halved.
    """
    weights, means, variances = (c.double() for c in (weights / weights.sum(), means, variances))
    log_peaks = weights.log() - 0.5 * (2 * math.pi * variances).log().sum(-1)

    def above(boxes: Tensor) -> Tensor:
        centre, half = boxes.chunk(2, -1)
        gap = ((means - centre[:, None]).abs() - half[:, None]).clamp(min=0)  # (box, k, d)
        return (log_peaks - 0.5 * (gap.square() / variances).sum(-1)).logsumexp(-1)

    low, high = means.aminmax(dim=0)
    boxes = torch.cat([low + high, high - low])[None] / 2  # centre and half the sides, (box, 2 d)
    best = float(target.log_prob(means).max())
    while True:
        upper = rowwise(above, boxes, means.numel())
        best = max(best, float(target.log_prob(boxes.chunk(2, -1)[0]).max()))
        left = upper > best + tolerance
        if not left.any():
            return best + tolerance
        if left.sum() > BOXES:
            return float(upper.max())
        centre, half = boxes[left].chunk(2, -1)
        step = torch.nn.functional.one_hot(half.argmax(-1), half.shape[-1]) * half / 2
        boxes = torch.cat([torch.cat([centre + side * step, half - step], -1) for side in (-1, 1)])


def _tempered(target: Target, weights: Tensor, means: Tensor, variances: Tensor, temperature: float) -> Target:
    if not (variances * temperature / SMALLEST >= SMALLEST).all() or not (variances * temperature / LARGEST <= LARGEST).all():
        raise NotApplicable(f"single precision does not hold the law at temperature {temperature:g}")
    if len(weights) == 1:
        return mixture(weights, means, temperature * variances, target.prior, has(target, "modes"))
    proposal, log_accept = (_wider if temperature > 1 else _narrower)(target, weights, means, variances, temperature)

    def sample(n: int, generator: torch.Generator) -> Tensor:
        kept, accepted, proposals = [], 0, 0
        while accepted < n:
            if proposals >= ENOUGH and accepted < FEWEST * proposals:
                raise NotApplicable(f"draws at temperature {temperature:g}: rejection accepts {accepted} of {proposals:,} proposals")
            x = proposal(max(2 * n, 1_000), generator)
            uniform = torch.rand(len(x), generator=generator, device=generator.device)
            kept.append(x[uniform.log() < log_accept(x)])
            accepted, proposals = accepted + len(kept[-1]), proposals + len(x)
        return torch.cat(kept)[:n]

    return Target(
        target.dim,
        sample,
        target.prior,
        log_prob=lambda x: target.log_prob(x) / temperature,
        score=lambda x: target.score(x) / temperature,
        normalised=False,
        modes=target.modes,
    )


Proposal = tuple[Callable[[int, torch.Generator], Tensor], Callable[[Tensor], Tensor]]
"""How to draw, and the log probability of accepting a draw, (n, d) -> (n,)."""


def _wider(target: Target, weights: Tensor, means: Tensor, variances: Tensor, temperature: float) -> Proposal:
    """T > 1. N(x; m, v)^(1/T) is N(x; m, T v) times a constant that depends on v alone."""
    log_constant = 0.5 * ((temperature * 2 * math.pi * variances).log() - (2 * math.pi * variances).log() / temperature).sum(-1)
    envelope_weights = (weights.log() / temperature + log_constant).softmax(-1)
    envelope_log_z = (weights.log() / temperature + log_constant).logsumexp(-1)
    envelope = mixture(envelope_weights, means, temperature * variances, modes=False)
    return envelope.sample, lambda x: target.log_prob(x) / temperature - envelope_log_z - envelope.log_prob(x)


def _narrower(target: Target, weights: Tensor, means: Tensor, variances: Tensor, temperature: float) -> Proposal:
    """T < 1; the maximum is sought when it is first needed."""
    bound = cache(lambda: log_maximum(target, weights, means, variances, temperature / (1 - temperature)))
    return target.sample, lambda x: (1 / temperature - 1) * (target.log_prob(x) - bound())
