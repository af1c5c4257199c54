"""One network, trained for one claim."""

from scorebench.core.spec import Spec
from scorebench.engine.training import fit
from scorebench.models.base import Bound
from scorebench.suite.config import Training
from scorebench.targets.base import Target


def fit_one(target: Target, model: Spec, loss: Spec, rate: float, training: Training, master: int, claim: str) -> Bound:
    """The model with the parameters at the end of its training, on data of the claim's own."""
    fitted = fit(target, model, [loss], [rate], training, training.steps, master, [claim], "claim")
    return Bound(fitted.module, {k: v[0, 0].detach() for k, v in fitted.parameters[-1].items()}, fitted.gives_energy)
