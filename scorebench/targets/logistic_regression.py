r"""The posterior of a logistic regression: what a sampler meets who does Bayesian inference. 569 tumours, malignant or benign, by 30 measurements.

With rows a_i = y_i (1, z_i), y_i = 1 benign and -1 malignant, z_i the columns in units of their standard deviations about their means, and beta ~ N(0, I):

log p(beta) = sum_i log sigma(a_i beta) - |beta|^2/2 + constant,   grad log p = A' sigma(-A beta) - beta,   sigma(u) = 1/(1 + exp(-u))

in d = 31, two matrix products. The Hessian is -(A' W A + I): the law is strongly log-concave and narrower than N(0, I) in every direction (Brascamp and Lieb
1976), which is where chains start. At its mode the curvatures go from 1 to 85.

Its draws are those of Hamiltonian Monte Carlo (Duane et al. 1987; Neal 2011, section 3.2), made once a process in some 5 s: 512 chains, in the coordinates in
which the Hessian at the mode is the identity, from twice the variance that this would give, each with 256 states, three trajectories apart, after 32 that are
left out. Split R-hat is below 1.01 and the effective size at least 110,000 of 131,072, of every coordinate and its square; their means are those of importance
sampling, a method that shares nothing with it (tests/test_logistic_regression.py). With noise, or at another temperature, the law has no draws.
"""

from functools import cache

import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.targets.base import Target, distinct, untempered
from scorebench.targets.lib.mixture import normal
from scorebench.targets.lib.rows import rowwise, rowwise_all

LABEL = "logistic regression, d = 31"
REFERENCE = "Wolberg et al. (1995), Breast Cancer Wisconsin (Diagnostic), UCI, as shipped by scikit-learn; draws by HMC"

CHAINS, LEFT_OUT, EACH, KEPT = 512, 32, 3, 256
"""Of so many chains, after so many trajectories every third state, so many of each."""
STEP, LEAPFROG = 0.5, 3
"""Of Hamiltonian Monte Carlo: a trajectory of about pi/2, after which a Gaussian's position is forgotten."""
NEWTON = 20


def logistic_regression() -> Target:
    """The posterior; every sampler starts from the prior of beta, N(0, I)."""
    signed = _signed()
    rows = len(signed)

    @cache
    def data(dtype: torch.dtype, device: torch.device) -> Tensor:
        return signed.to(device, dtype)

    def log_prob(x: Tensor) -> Tensor:
        a = data(x.dtype, x.device)
        return rowwise(lambda beta: _log_prob(beta, beta @ a.T), x, rows)

    def score(x: Tensor) -> Tensor:
        a = data(x.dtype, x.device)
        return rowwise(lambda beta: _score(beta, beta @ a.T, a), x, rows)

    def score_and_log_prob(x: Tensor) -> tuple[Tensor, Tensor]:
        a = data(x.dtype, x.device)

        def both(beta: Tensor) -> tuple[Tensor, Tensor]:
            u = beta @ a.T
            return _score(beta, u, a), _log_prob(beta, u)

        s, value = rowwise_all(both, x, rows)
        return s, value

    target = Target(
        signed.shape[1],
        lambda n, generator: distinct(posterior_draws().flatten(0, 1), n, generator),
        normal(signed.shape[1], 1.0),
        log_prob,
        score,
        score_and_log_prob,
        normalised=False,
        tempered=lambda temperature: untempered(temperature, target),
        rows=CHAINS * KEPT,
    )
    return target


def _signed() -> Tensor:
    """A, (569, 31), float64."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    columns, benign = torch.tensor(data.data), torch.tensor(data.target, dtype=torch.float64)
    z = (columns - columns.mean(0)) / columns.std(0, correction=0)
    return (2 * benign - 1)[:, None] * torch.cat([torch.ones(len(z), 1, dtype=z.dtype), z], -1)


def _log_prob(beta: Tensor, u: Tensor) -> Tensor:
    return torch.nn.functional.logsigmoid(u).sum(-1) - beta.square().sum(-1) / 2


def _score(beta: Tensor, u: Tensor, a: Tensor) -> Tensor:
    return (-u).sigmoid() @ a - beta


@cache
def posterior_draws() -> Tensor:
    """Of each chain the states that are kept, (chain, state, d)."""
    target = logistic_regression()
    both = target.score_and_log_prob
    assert both is not None
    mode, hessian = _mode(_signed())
    root = torch.linalg.inv(torch.linalg.cholesky(hessian)).float()  # beta = mode + z root, of z with the identity for Hessian
    generator = rng.generator("logistic_regression")

    def at(z: Tensor) -> tuple[Tensor, Tensor]:
        s, log_p = both(mode.float() + z @ root)
        return s @ root.T, log_p

    def slope_at(z: Tensor) -> Tensor:
        return target.score(mode.float() + z @ root) @ root.T

    z = 2**0.5 * torch.randn(CHAINS, target.dim, generator=generator)
    slope, log_p = at(z)
    kept = []
    for number in range(LEFT_OUT + EACH * KEPT):
        p = torch.randn(z.shape, generator=generator)
        energy = p.square().sum(-1) / 2 - log_p
        new, new_slope, new_log_p = z, slope, log_p
        for step in range(1, LEAPFROG + 1):
            p = p + STEP / 2 * new_slope
            new = new + STEP * p
            if step < LEAPFROG:
                new_slope = slope_at(new)
            else:  # where it is decided, and nowhere before, it takes log p
                new_slope, new_log_p = at(new)
            p = p + STEP / 2 * new_slope
        taken = torch.rand(CHAINS, generator=generator).log() < energy - (p.square().sum(-1) / 2 - new_log_p)
        z, slope = (torch.where(taken[:, None], *pair) for pair in ((new, z), (new_slope, slope)))
        log_p = torch.where(taken, new_log_p, log_p)
        if number >= LEFT_OUT and (number - LEFT_OUT) % EACH == EACH - 1:
            kept.append(mode.float() + z @ root)
    return torch.stack(kept, 1)


def _mode(a: Tensor) -> tuple[Tensor, Tensor]:
    """Where log p is highest, (d,), by Newton's method, and minus its Hessian there, (d, d)."""
    beta = a.new_zeros(a.shape[1])
    for _ in range(NEWTON):
        p = (-(a @ beta)).sigmoid()
        hessian = (a.T * (p * (1 - p))) @ a + torch.eye(len(beta), dtype=a.dtype)
        beta = beta + torch.linalg.solve(hessian, a.T @ p - beta)
    return beta, hessian
