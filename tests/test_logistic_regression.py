"""The posterior of a logistic regression: its density is the one that scikit-learn maximises, and its draws are of it by another method."""

import torch

from scorebench.core.spec import parse
from scorebench.store.draws import diagnosed
from scorebench.targets import logistic_regression
from scorebench.testing.examples import stream
from scorebench.testing.statistical import z_limit

PROPOSALS = 100_000


def test_the_mode_is_that_of_scikit_learn():
    """Its objective is -log p: sum log(1 + exp(-a beta)) + |beta|^2/(2 C), C = 1, the intercept as a column. And log p, written out, at 0 and at the mode."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    x = torch.cat([torch.ones(len(x), 1).double(), torch.tensor(StandardScaler().fit_transform(x))], -1)
    fitted = torch.tensor(LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(x.numpy(), y).coef_[0])
    target = parse("target", "logistic_regression").build()
    assert float(target.score(fitted).abs().max()) < 1e-4  # the slope at the mode is 0; the curvature is 1 or more
    share = torch.sigmoid(x @ fitted)
    by_hand = (torch.tensor(y) * share.log() + torch.tensor(1 - y) * (1 - share).log()).sum() - fitted.square().sum() / 2
    torch.testing.assert_close(target.log_prob(fitted), by_hand, rtol=1e-9, atol=0)
    torch.testing.assert_close(target.log_prob(torch.zeros(31).double()), -569 * torch.tensor(2.0).double().log())


def test_draws_have_settled_and_are_of_the_law():
    """R-hat and effective size as stated; E x, E x^2 and E log p are those of importance sampling from the Gaussian with the draws' mean and covariance, which
    need not be right for the weights to be. 63 means, false-alarm rate 1e-4 together (Bonferroni): 4.8 standard errors of some .005 of a standard deviation,
    so that a mean off by .03 is seen, and a variance off by 4 %.
    """
    chains = logistic_regression.posterior_draws().double()
    found = diagnosed(chains.numpy())
    assert found["rhat"][0] < 1.01 and found["effective"][0] >= 110_000
    target, x = parse("target", "logistic_regression").build(), chains.flatten(0, 1)
    root = torch.linalg.cholesky(torch.cov(x.T))
    z = torch.randn(PROPOSALS, target.dim, generator=stream("importance"), dtype=torch.float64)
    proposed = x.mean(0) + z @ root.T

    def functions(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x.square(), target.log_prob(x)[:, None]], -1)

    weights = (target.log_prob(proposed) + z.square().sum(-1) / 2).softmax(0)
    assert float(1 / weights.square().sum()) > 0.4 * PROPOSALS  # effective proposals
    f, g = functions(proposed), functions(x)
    mean = weights @ f
    error = (weights.square() @ (f - mean).square() + g.var(0) / found["effective"][0]).sqrt()
    assert float(((g.mean(0) - mean) / error).abs().max()) < z_limit(len(mean))
