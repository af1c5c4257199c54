"""A score network that was trained elsewhere, from its file to the tables; files that define none.

Exact: the score of N(0, I) as a network has no relative Fisher divergence, whatever it stands beside. Statistical: the bias of the second moment of its
samples, by steps that are exact for it, within 6 standard deviations of the floor in each of three, which 1e-5 at most exceed (a mean of 512 squares, skewed
by .13). Half of the score, which doubles the variance, is 16 off.
"""

import pytest
import torch

from scorebench import stages
from scorebench.commands.validate import validate
from scorebench.core import rng
from scorebench.core.errors import InputError
from scorebench.core.spec import parse
from scorebench.models.base import Bound, score_and_divergence
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

HEAD = "import torch\nfrom pathlib import Path\nfrom torch import nn\n"
LINEAR = "FILES = ['weights.pt']\nnet = nn.Linear(2, 2)\nnet.load_state_dict(torch.load(Path(__file__).parent / 'weights.pt', weights_only=True))\n"
SUITE = """
name: own
seed: 1
metrics: [relative_fisher_divergence, "relative_fisher_divergence:to=fixed_point", hyvarinen_score, second_moment_bias, rhat]
experiments:
  - target: gaussian
    seeds: 3
    training: {size: 500, batch: 32, steps: [10, 20], sweep: {learning_rates: [0.01, 0.03], seeds: 2, steps: 5}}
    sources: {"network:path=my_score.py": [given], quadratic: [implicit]}
    trained: {samplers: [leimkuhler_matthews], step_sizes: [1.0], chains: 256, budgets: [50]}
"""


def test_it_goes_through_the_same_tables(tmp_path):
    """The exact score is best in the losses' table, by rounding alone; what it was trained for is not known; its samples are at the floor."""
    torch.save({"weight": -torch.eye(2), "bias": torch.zeros(2)}, tmp_path / "weights.pt")
    (tmp_path / "my_score.py").write_text(HEAD + LINEAR + "def score(x): return net(x)\n")
    (tmp_path / "own.yaml").write_text(SUITE)
    validate(Plan(load(tmp_path / "own.yaml")))
    plan = Plan(load(tmp_path / "own.yaml"))
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path / "results")
    results = Results(tmp_path / "results" / "own", plan)
    losses = results.table("losses").set_index(["loss", "metric"])
    its = losses.loc["given"]
    assert its.loc["relative_fisher_divergence", "mean"] < 1e-12 and its.loc["relative_fisher_divergence", "best"]
    assert its.loc["relative_fisher_divergence:to=fixed_point", "reason"] == "it was trained elsewhere"
    assert losses.loc[("implicit", "relative_fisher_divergence"), "word"] == "worse"
    sampled = results.metrics[(results.metrics["loss"] == "given") & (results.metrics["metric"] == "second_moment_bias")]
    assert len(sampled) == 3 and set(sampled["status"]) == {"ok"} and (sampled["z"].abs() < 6).all()
    rates = results.table("learning_rates")
    assert set(rates["loss"]) == {"implicit"}  # what is not trained has none


def test_its_divergence_is_that_of_the_function(tmp_path):
    """tr grad s of s = tanh(A x) is sum_i A_ii (1 - s_i^2), for stacks of seeds and in float64 within float32. Exact."""
    (tmp_path / "a.py").write_text(HEAD + "A = torch.tensor([[1., 2], [-1, .5]])\ndef score(x): return (x @ A.T).tanh()\n")
    module = parse("model", f"network:path={tmp_path / 'a.py'}").build(2, rng.generator("a"))
    x = torch.randn(5, 2, generator=rng.generator("x"))
    for points in (x, x.double()):
        s, divergence = score_and_divergence(Bound(module, dict(module.named_parameters()), False), points)
        assert s.dtype == points.dtype
        torch.testing.assert_close(divergence, ((1 - s.square()) * torch.tensor([1, 0.5])).sum(-1), atol=1e-5, rtol=1e-5, check_dtype=False)


WRONG = {
    "x = 3": "it defines no score",
    "def score(x): return x[:, :1]": r"score\(x\) gave shape \(32, 1\) for points of shape \(32, 2\)",
    "def score(x): return x.tolist()": r"score\(x\) gave list",
    "net = nn.Linear(3, 3)\nscore = net": r"score\(x\) fails on points of shape \(32, 2\): RuntimeError: mat1 and mat2",
    "def score(x): return x / 0": "is not finite at points of",
    "net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(.5))\nscore = net": "is not the same twice .allowed: a network in its eval mode",
    "def score(x): return x - x.mean(0)": "at a point depends on the other points",
    "a = torch.ones(2, requires_grad=True)\ndef score(x): return -a * x": "wants gradients",
    "def score(x): return torch.as_tensor(-x.numpy())": "cannot be differentiated by torch.func",
    "import nothing_of_the_kind": "cannot be run: ModuleNotFoundError",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_score_is_told_before_anything_runs(text, tmp_path):
    (tmp_path / "my_score.py").write_text(HEAD + text + "\n")
    (tmp_path / "own.yaml").write_text(SUITE)
    with pytest.raises(InputError, match=f"^model 'network': my_score.py:? .*{WRONG[text]}"):
        validate(Plan(load(tmp_path / "own.yaml")))


@pytest.mark.parametrize(
    ("sources", "line"),
    [
        ('{"network:path=my_score.py": [implicit]}', "loss 'implicit' needs a model that is trained here and without noise levels|without"),
        ("{quadratic: [given]}", "loss 'given' needs a model that is given and without noise levels .known: network"),
        ('{"network:path=my_scor.py": [given]}', "there is no such file; did you mean 'my_score.py'"),
    ],
)
def test_it_is_not_trained_and_nothing_else_is_given(sources, line, tmp_path):
    (tmp_path / "my_score.py").write_text("def score(x): return -x\n")
    (tmp_path / "own.yaml").write_text(SUITE.replace('{"network:path=my_score.py": [given], quadratic: [implicit]}', sources))
    with pytest.raises(InputError, match=line):
        load(tmp_path / "own.yaml")
