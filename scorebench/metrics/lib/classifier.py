"""A classifier that knows nothing of what is measured: scikit-learn's logistic regression on radial kernels, by labelled training draws."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from scorebench.core import rng
from scorebench.targets.base import Target

DRAWS, KERNELS, INVERSE_PENALTY = 3_000, 800, 100.0


def probabilities(target: Target, x: Tensor) -> Tensor:
    """Of each class, (*, d) -> (*, class). In float64: distances by products in float32 are other ones in other company."""
    rows = x.reshape(-1, x.shape[-1]).double().cpu().numpy()
    found = torch.from_numpy(_classifier(target.labelled, target.dim)(rows))
    return found.to(x.device).view(*x.shape[:-1], -1)


@cache
def _classifier(labelled: Callable[[int, torch.Generator], tuple[Tensor, Tensor]], dim: int) -> Callable[[np.ndarray], np.ndarray]:
    """Kernels exp(-|x - c|^2/(d v)) at draws c, v the variance of a coordinate (Nystroem; Williams and Seeger 2001); likelihood with a ridge."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics.pairwise import rbf_kernel

    draws, labels = labelled(DRAWS, rng.generator("classifier", dim))
    x = draws.double().cpu().numpy()
    kernels = Nystroem(gamma=1 / (dim * float(x.var(0).mean())), n_components=KERNELS, random_state=0)
    fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000).fit(kernels.fit_transform(x), labels.cpu().numpy())
    # A product with KERNELS^2 numbers a row is made one with KERNELS a class: (k(x) N) w = k(x) (N w).
    fitted.coef_ = fitted.coef_ @ kernels.normalization_
    return lambda rows: fitted.predict_proba(rbf_kernel(rows, kernels.components_, gamma=kernels.gamma))
