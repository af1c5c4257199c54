"""A network that was trained elsewhere, from its file to the tables, in each form that a file may have; files that define none.

Exact, on .8 N(m, I/4) + .2 N(-m, I/4): the law's own score and log density, noised or not, are right to rounding, and run as the exact score does; half of the
score has a relative Fisher divergence of 1/4, and weights of .3 and .7 are .5 off by quadrature where that divergence is blind. Statistical: the shares of
modes of the law's own energy by MALA from exact draws within 6 standard deviations of the floor's mean in each of three, which 5e-5 at most exceed (half of a
normal law: 4.4 of its own).
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from scorebench import stages
from scorebench.commands.validate import validate
from scorebench.core import rng
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse
from scorebench.engine.sources import trained
from scorebench.models.base import Bound, score_and_divergence
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES, gives, ladder
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
from scorebench.targets.base import Absent
from scorebench.testing import models
from scorebench.testing.contract import applies

HEAD = "import torch\nfrom pathlib import Path\nfrom torch import nn\n"
LAW = """
FILES = ["means.pt"]
means = torch.load(Path(__file__).parent / "means.pt", weights_only=True)

def towards(x):  # m_k - x, m_k on the first axis, (n, k, d)
    return means.to(x)[:, None] * torch.eye(x.shape[-1]).to(x)[0] - x[:, None]

def joint(x, sigma, weights=(0.8, 0.2)):  # log w_k N(x; m_k, (1/4 + sigma^2) I) but for a constant, (n, k)
    v = (0.25 + sigma**2)[..., None]
    return x.new_tensor(weights).log() - (towards(x).square().sum(-1) / v + x.shape[-1] * v.log()) / 2

def slope(x, sigma):
    return (joint(x, sigma).softmax(-1)[..., None] * towards(x)).sum(1) / (0.25 + sigma**2)[..., None]

zero = torch.zeros(())
"""
LEVELS = "SIGMAS = [4, 2, 1, 0.5, 0.2]\n"
FORMS = {
    "score": "def score(x): return slope(x, zero)",
    "log_prob": "def log_prob(x): return joint(x, zero).logsumexp(-1)",
    "score_at": LEVELS + "def score(x, sigma): return slope(x, sigma)",
    "log_prob_at": LEVELS + "def log_prob(x, sigma): return joint(x, sigma).logsumexp(-1)",
}
WRONG_FORMS = {
    "half": "def score(x): return slope(x, zero) / 2",
    "weights": "def log_prob(x): return joint(x, zero, (0.3, 0.7)).logsumexp(-1)",
}
SUITE = """
name: own
seed: 1
metrics: [relative_fisher_divergence, "relative_fisher_divergence:to=fixed_point", hyvarinen_score, "law_error:of=weights", mode_weight_error]
experiments:
  - target: gaussian_mixture:weight=0.8
    seeds: 3
    training: {size: 500, batch: 32, steps: [10, 20], sweep: {learning_rates: [0.01, 0.03], seeds: 2, steps: 5}}
    sources: SOURCES
    exact: &annealed {samplers: ["annealed:sigmas=4|2|1|0.5|0.2,steps=4"], step_sizes: [0.02], chains: 256, budgets: [20]}
    trained: [*annealed, {samplers: [mala_from_data, ula], step_sizes: [0.02], chains: 256, budgets: [20]}]
"""
GIVEN = ("score", "log_prob", "score_at", "half", "weights")
SOURCES = "{" + ", ".join(f'"network:path={name}.py": [given]' for name in GIVEN) + ", quadratic: [implicit]}"


@pytest.fixture
def forms(tmp_path: Path) -> Path:
    torch.save(torch.tensor([2.0, -2.0]), tmp_path / "means.pt")
    for name, text in (FORMS | WRONG_FORMS).items():
        (tmp_path / f"{name}.py").write_text(HEAD + LAW + text + "\n")
    return tmp_path


def of_file(file: Path) -> Spec:
    return parse("model", f"network:path={file}")


def network(file: Path) -> nn.Module:
    return of_file(file).build(2, rng.generator("a"))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_the_law_at_every_level_and_keeps_the_contract(name, forms):
    """To rounding of float32; every check of a model, in float64."""
    spec, target, levels = of_file(forms / f"{name}.py"), parse("target", "gaussian_mixture:weight=0.8").build(), name.endswith("_at")
    assert gives(spec) == {"score", "given", *["log_prob"] * ("log" in name), *["noise_levels"] * levels}
    assert ladder(spec) == ((4, 2, 1, 0.5, 0.2) if levels else ())
    parameters = {"none": torch.zeros(2)}
    density = trained(spec, parse("loss", "given"), 0, parameters, target).density
    assert isinstance(density.score_and_log_prob, Absent) == ("log" not in name)
    x = 3 * torch.randn(2, 1, 50, 2, generator=rng.generator("x"))
    for sigma in ladder(spec) or (0.0,):
        law, its = (target.perturbed(sigma), density.perturbed(sigma)) if levels else (target, density)
        torch.testing.assert_close(its.score(x), law.score(x), rtol=2e-5, atol=2e-5)
    for check in models.CHECKS:
        if applies(check, spec):
            check(spec)


def test_they_go_through_the_same_tables(forms):
    """After the contract, which imports once what every job would import again."""
    (forms / "own.yaml").write_text(SUITE.replace("SOURCES", SOURCES))
    validate(Plan(load(forms / "own.yaml")))
    plan = Plan(load(forms / "own.yaml"))
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, forms / "results")
    results = Results(forms / "results" / "own", plan)
    losses = results.table("losses")
    losses["model"] = losses["model"].str.removeprefix("network:path=").str.removesuffix(".py")
    mean = losses.set_index(["metric", "model"])["mean"]
    divergence = mean["relative_fisher_divergence"]
    assert divergence["score"] < 1e-10 and divergence["log_prob"] < 1e-10 and divergence["weights"] < 0.01
    assert divergence["half"] == pytest.approx(0.25, rel=1e-5)
    weights = mean["law_error:of=weights"]
    assert weights["log_prob"] < 1e-6 and weights["weights"] == pytest.approx(0.5, abs=1e-3)
    given = losses[losses["model"].isin(GIVEN)]
    assert len(given[(given["metric"] == "hyvarinen_score") & given["mean"].notna()]) == len(GIVEN)
    assert set(given.loc[given["metric"] == "relative_fisher_divergence:to=fixed_point", "reason"]) == {"it was trained elsewhere"}
    assert set(losses.loc[(losses["model"] == "quadratic") & (losses["metric"] == "relative_fisher_divergence"), "word"]) == {"worse"}
    assert set(results.table("learning_rates")["loss"]) == {"implicit"}  # what is not trained has none

    rows = results.metrics[results.metrics["sampler"] != ""]
    names = rows["model"].str.removeprefix("network:path=").str.removesuffix(".py").fillna("")
    rows = rows.set_index([rows["sampler"].str.partition(":")[0], names]).sort_index()
    itself, exact = (rows.loc[("annealed", model), "value"].to_numpy() for model in ("score_at", ""))
    assert itself == pytest.approx(exact, abs=0.01) and (exact > 0).all()  # the same chains, but for two of 256
    assert rows.loc[("annealed", "score"), "reason"].iloc[0] == "the source has no perturbed"
    own = rows.loc[("mala_from_data", "log_prob")]
    assert len(own) == 3 and set(own["status"]) == {"ok"} and (own["z"] < 6).all()
    assert (rows.loc[("mala_from_data", "weights"), "z"] < 6).all()  # in twenty steps no chain crosses: it is the quadrature that tells
    parts = results.table("decomposition")
    assert set(parts["model"]) == {
        "network:path=log_prob.py",
        "network:path=weights.py",
        "quadratic",
    }  # a field has no law that an exact method samples


def test_its_divergence_is_that_of_the_function(tmp_path):
    """tr grad s of s = tanh(A x) is sum_i A_ii (1 - s_i^2), for stacks of seeds and in float64 within float32. Exact."""
    (tmp_path / "a.py").write_text(HEAD + "A = torch.tensor([[1., 2], [-1, .5]])\ndef score(x): return (x @ A.T).tanh()\n")
    module = network(tmp_path / "a.py")
    x = torch.randn(5, 2, generator=rng.generator("x"))
    for points in (x, x.double()):
        s, divergence = score_and_divergence(Bound(module, dict(module.named_parameters()), False), points)
        assert s.dtype == points.dtype
        torch.testing.assert_close(divergence, ((1 - s.square()) * torch.tensor([1, 0.5])).sum(-1), atol=1e-5, rtol=1e-5, check_dtype=False)


@pytest.mark.parametrize(
    "text", ["def log_prob(x): return -((x - 5e3) ** 2).sum(-1)", LEVELS + "def log_prob(x, s): return 2e5 / s - (x**2).sum(-1)"]
)
def test_a_log_density_may_be_far_below_where_no_mass_lies(text, tmp_path):
    (tmp_path / "far.py").write_text(HEAD + text + "\n")
    network(tmp_path / "far.py")


SIGMA = "SIGMAS = [2, 1]\n"
WRONG = {
    "x = 3": r"it defines neither score nor log_prob .allowed: one of them\)",
    "def energy(x): return x.square().sum(-1)": r"neither score nor log_prob .allowed: one of them; log_prob\(x\) is -energy\(x\)",
    "def score(x): return -x\ndef log_prob(x): return -x.square().sum(-1) / 2": "it defines both score and log_prob .allowed: one of them",
    "exec('def log_prob(x): return -x[:, 0] ** 2')": "log_prob is not defined at the file's top",
    "def score(x, sigma): return -x / sigma[:, None]": r"score takes a noise level, and there is no SIGMAS .allowed: SIGMAS = \[4, 2, 1, 0.5\], say",
    SIGMA + "def score(x): return -x": r"there is SIGMAS, and score takes no sigma .allowed: score\(x, sigma\), or no SIGMAS",
    "SIGMAS = [1, 2]\ndef score(x, sigma): return -x": r"SIGMAS = \[1, 2\] .allowed: two or more numbers above 0 that fall, written out",
    "SIGMAS = [2 ** -i for i in range(3)]\ndef score(x, sigma): return -x": r"SIGMAS = \[1, 0.5, 0.25\] .allowed: two or more .* written out",
    SIGMA + "def score(x, sigma): return -x / sigma[0]": r"score\(x, sigma\) at a point depends on the other points",
    "def log_prob(x): return -x.square()": r"log_prob\(x\) gave shape \(32, 2\) for points of shape \(32, 2\) .allowed: a number a point",
    "def log_prob(x): return torch.as_tensor(-x[:, 0].numpy())": r"log_prob\(x\) cannot be differentiated twice by torch.func",
    "def score(x): return x[:, :1]": r"score\(x\) gave shape \(32, 1\) for points of shape \(32, 2\)",
    "def score(x): return x.tolist()": r"score\(x\) gave list",
    "net = nn.Linear(3, 3)\nscore = net": r"score\(x\) fails on points of shape \(32, 2\): RuntimeError: mat1 and mat2",
    "def score(x): return x / 0": "is not finite at points of",
    "net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(.5))\nscore = net": "is not the same twice .*; net is in its train mode: call net.eval",
    "net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))\ndef score(x): return net(x)": r"; net is in its train mode: call net.eval\(\)",
    "import numpy as np\nm = torch.as_tensor(np.random.default_rng().normal(size=2)).float()\ndef score(x): return m - x": "run twice, it defines two: ",
    "def score(x): return x - x.mean(0)": "at a point depends on the other points",
    "a = torch.ones(2, requires_grad=True)\ndef score(x): return -a * x": "wants gradients",
    "def score(x): return torch.as_tensor(-x.numpy())": "cannot be differentiated by torch.func",
    "def log_prob(x): return 1e8 - x.square().sum(-1) / 2": r"log_prob\(x\) is 1e\+08 at x = .*, which float32 rounds by up to 6: an accept step",
    "def log_prob(x): return -1e8 - ((x - 9) ** 2).sum(-1) / 2": r"log_prob\(x\) is -1e\+08 at x = ",
    SIGMA + "def log_prob(x, sigma): return 1e8 / sigma - x.square().sum(-1) / 2": r"log_prob\(x\) is 1e\+08 at x = ",
    "import nothing_of_the_kind": "cannot be run: ModuleNotFoundError",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_score_is_told(text, tmp_path):
    (tmp_path / "my_score.py").write_text(HEAD + text + "\n")
    with pytest.raises(InputError, match=f"^my_score.py:? .*{WRONG[text]}"), torch.random.fork_rng(devices=[]):  # dropout draws
        network(tmp_path / "my_score.py")


ITS = '{"network:path=my_score.py": [given]}'


@pytest.mark.parametrize(
    ("text", "sources", "line"),
    [
        ("x = 3", ITS, "^model 'network': my_score.py: it defines neither"),
        (FORMS["score"], ITS.replace("given", "implicit"), "loss 'implicit' needs a model that is trained here and without noise levels"),
        (FORMS["score"], "{quadratic: [given]}", "loss 'given' needs a model that is given .known: network"),
        (FORMS["score"], ITS.replace("score", "scor"), "there is no such file; did you mean 'my_score.py'"),
        ("SIGMAS = [4, 1]", ITS, "goes to noise levels that 'network:path=my_score.py' does not have: 2, 0.5, 0.2 .allowed: 4, 1"),
    ],
)
def test_it_is_told_before_anything_runs(text, sources, line, tmp_path):
    (tmp_path / "my_score.py").write_text(HEAD + text + "\n")
    (tmp_path / "own.yaml").write_text(SUITE.replace("SOURCES", sources))
    with pytest.raises(InputError, match=line):
        validate(Plan(load(tmp_path / "own.yaml")))
