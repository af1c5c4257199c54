"""A user's density as a target: however it is written, scores that are none, and reference draws that are accepted or refused."""

import json
import math
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from scorebench import stages
from scorebench.cli import main
from scorebench.commands import reference
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.spec import parse
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load
from scorebench.targets.base import Target, has
from scorebench.targets.lib import drawn
from scorebench.testing.examples import stream

HEAD = "import numpy as np\nimport torch\nfrom torch import nn\n"
P = "P = torch.tensor([[2., .5, 0], [.5, 1, .1], [0, .1, 3]])\n"


def target_of(folder: Path, text: str, name: str = "my_density") -> Target:
    (folder / f"{name}.py").write_text(HEAD + text)
    return parse("target", f"density:path={folder / name}.py").build()


WRITTEN = {
    "a batch": P + "dim = 3\ndef log_prob(x): return -((x @ P) * x).sum(-1) / 2",
    "a point": P + "dim = 3\ndef log_prob(x): return -(x @ P @ x) / 2",
    "a point by its coordinates": "dim = 3\ndef log_prob(x): return -x[0]**2 - x[1]**2/2 - 1.5*x[2]**2 - .5*x[0]*x[1] - .1*x[1]*x[2]",
    "a sum over all": P + "dim = 3\ndef log_prob(x): return -(P * torch.outer(x, x)).sum() / 2",
    "float64": P + "P = P.double()\ndim = 3\ndef log_prob(x): return -((x @ P) * x).sum(-1) / 2",
    "float64 of a point": P + "P = P.double()\ndim = 3\ndef log_prob(x): return -(x @ P @ x) / 2",
    "control flow": P
    + "dim = 3\ndef log_prob(x):\n    if float(x[0]) > 1e9: return x.sum()\n    return -(x @ P @ x) / 2\ndef score(x): return -x @ P",
    "a score alone": P + "dim = 3\ndef score(x): return -x @ P",
    "a score of a point": P + "dim = 3\ndef score(x): return -P @ x",
    "both": P + "dim = 3\ndef log_prob(x): return -((x @ P) * x).sum(-1) / 2\ndef score(x): return -x @ P",
    "a score by autograd": P
    + "dim = 3\ndef score(x):\n    x = x.detach().requires_grad_()\n    return torch.autograd.grad(-((x @ P) * x).sum() / 2, x)[0]",
    "a network": P + "dim = 3\nnet = nn.Linear(3, 3, bias=False)\nnet.weight.data = -P\ndef score(x): return net(x)",
    "a class": P + "dim = 3\nclass D:\n    def __call__(self, x): return -x @ P\nscore = D()",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_however_it_is_written(written, tmp_path):
    """The same Gaussian: score and log density to rounding, for any leading axes and both precisions. Exact."""
    target = target_of(tmp_path, WRITTEN[written])
    precision = torch.tensor([[2.0, 0.5, 0], [0.5, 1, 0.1], [0, 0.1, 3]])
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(2, 1, 7, 3, generator=stream(written)).to(dtype)
        torch.testing.assert_close(target.score(x[0, 0, 0]), target.score(x)[0, 0, 0])
        s = target.score(x)
        assert s.dtype == dtype and s.shape == x.shape and not s.requires_grad
        torch.testing.assert_close(s, -x @ precision.to(dtype), atol=1e-5, rtol=1e-5)
        if has(target, "log_prob"):
            torch.testing.assert_close(target.log_prob(x), -((x @ precision.to(dtype)) * x).sum(-1) / 2, atol=1e-5, rtol=1e-5)
            warm = target.tempered(2.0)
            torch.testing.assert_close(warm.log_prob(x), target.log_prob(x) / 2)
    torch.testing.assert_close(target.tempered(2.0).score(x), target.score(x) / 2)


def test_a_function_of_a_point_that_a_batch_does_not_stop(tmp_path):
    """On a batch it has the right shape and another value, its norm being that of all points: it is mapped. Exact."""
    x = torch.randn(9, 2, generator=stream("points"))
    target = target_of(tmp_path, "dim = 2\ndef score(x): return -x / (1 + x.square().sum()).sqrt()")
    torch.testing.assert_close(target.score(x), -x / (1 + x.square().sum(-1, keepdim=True)).sqrt())


WRONG = [
    ("dim = 2\ndef score(x): return -x\ndef log_prob(x): return -(x**2).sum(-1)", "score(x) is not the gradient of log_prob(x): at x = ["),
    (
        "dim = 2\ndef score(x): return x\ndef log_prob(x): return -(x**2).sum(-1) / 2",
        "score(x) is not the gradient of log_prob(x): at x = [",
    ),
    ("dim = 2\ndef score(x): return -1.03 * x\ndef log_prob(x): return -(x**2).sum(-1) / 2", "score(x) is not the gradient"),
    ("dim = 2\ndef score(x): return -x.flip(-1)\ndef log_prob(x): return -(x**2).sum(-1) / 2", "score(x) is not the gradient"),
    (
        "dim = 2\ndef log_prob(x): return torch.as_tensor(-(x.detach()**2).sum(-1))",
        "autograd does not follow log_prob(x), which has no score(x)",
    ),
    ("dim = 2\ndef log_prob(x): return -(x[0].item()**2 + x[1]**2) / 2", "autograd does not follow log_prob(x), which has no score(x)"),
    ("dim = 2\ndef score(x): return x\ndef log_prob(x): return 1e6 - (x**2).sum(-1) / 2", "score(x) is not the gradient of log_prob(x)"),
    ("dim = 2\ndef log_prob(x): return 1e8 - (x**2).sum(-1) / 2", "log_prob(x) is 1e+08 at x = ["),
    (
        "dim = 2\ndef log_prob(x): return -1e8 - ((x - 9)**2).sum(-1) / 2",
        "which float32 rounds by up to 6: an accept step is as far off (allowed: up",
    ),
    (
        "dim = 2\ndef log_prob(x):\n    r = x.norm(dim=-1)\n    return torch.where(r > .2, -r, -r - (r - .2).sqrt().nan_to_num(0))",
        "the gradient of log_prob is nan at x = [",
    ),
    (
        "dim = 2\ndef log_prob(x): return (x**2).sum(-1) / 2",
        "log_prob(x) rises without end along every axis (allowed: log p, or its gradient; of an",
    ),
    ("dim = 2\ndef score(x): return x", "the law of score(x) rises without end along every axis"),
    (
        "dim = 1\ndef log_prob(x): return -(x.round() ** 2).sum(-1)",
        "its gradient is 0 at all of 500 points (allowed: ",
    ),
    ("dim = 1\ndef log_prob(x): return -(x**2).sum(-1) + 0j", "log_prob(x) gives torch.complex64 (allowed: floating-point numbers)"),
    ("dim = 1\ndef log_prob(x): return -(x.long() ** 2).sum(-1)", "log_prob(x) gives torch.int64 (allowed: floating-point numbers)"),
    ("dim = 2\ndef log_prob(x): return -(x**2).sum(-1) / 2 + 1e-5 * torch.randn(len(x))", "log_prob(x) is not the same twice"),
    (
        "dim = 2\ndef score(x): return -x + torch.randn(9, 2)[torch.randint(0, 9, (1,))]",
        "score(x) is not the same twice (allowed: a function of x",
    ),
    (
        "dim = 2\ndef log_prob(x):\n    x -= 1\n    return -(x**2).sum(-1) / 2",
        "log_prob(x) changes x (allowed: x - 1, say, or x = x.clone() first",
    ),
    ("dim = 2\ndef log_prob(x):\n    x[0] = 2 * x[0]\n    return -(x @ x) / 2", "log_prob(x) changes x (allowed: "),
    (
        "dim = 2\nnet = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))\ndef score(x): return net(x)",
        "and on one: ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 8]); net is in its train",
    ),
    (
        "dim = 2\nnet = nn.Sequential(nn.Linear(2, 2), nn.Dropout())\ndef score(x): return net(x)",
        "without random numbers; net is in its train",
    ),
    ("dim = 2\ndef log_prob(x): return torch.tensor(-np.sum(x.numpy()**2, -1))", "log_prob(x) has no gradient"),
    ("dim = 2\ndef log_prob(x): return np.zeros(len(x))", "log_prob(x) fails on points of shape (25, 2), and on one: "),
    ("dim = 2\ndef log_prob(x): return x", "log_prob(x) fails on points of shape (25, 2), and on one: "),
    ("dim = 2\ndef score(x): return x.sum(-1)", "score(x) fails on points of shape (25, 2)"),
    ("dim = 2\ndef log_prob(x): return x[:, 0].log()", "log_prob(x) is not finite at x = ["),
    ("dim = 2\ndef log_prob(x): raise KeyError('oops')", "log_prob(x) fails on points of shape (25, 2), and on one: KeyError: 'oops'"),
    ("dim = 2\nlog_prob = 3", "log_prob(x) fails on points"),
    ("dim = 2", "it defines neither log_prob nor score"),
    ("dim = 2\ndef logp(x): return x", "function 'logp' is unknown; did you mean 'log_prob'"),
    ("dim = 2\ndef energy(x): return x", "(allowed: log_prob(x), score(x), or both; log_prob(x) is -energy(x))"),
    ("dim = 2\nclass Law:\n    def score(self, x): return -x", "or both; Law.score is not looked at)"),
    (
        "class Law:\n    dim = 2\n    def score(self, x): return -x",
        "dim is not defined at the file's top; Law.dim is not looked at (allowed: dim = 2, say",
    ),
    ("D = 2\ndef log_prob(x): return x", "dim is not defined at the file's top; D = 2 is not read (allowed: dim = 2, say, a whole number"),
    ("def log_prob(x): return x", "dim is not defined at the file's top (allowed: dim = 2, say, a whole number from 1 to 100000)"),
    ("dim = '2'\ndef log_prob(x): return x", "dim = '2' (allowed: a whole number"),
    ("dim = 0\ndef log_prob(x): return x", "dim = 0 (allowed: a whole number"),
    ("dim = 2\ndef log_prob(x) return x", "cannot be run: SyntaxError"),
    ("import not_there\ndim = 2", "cannot be run: ModuleNotFoundError"),
    ("raise SystemExit(3)", "cannot be run: SystemExit: 3"),
    (
        "dim = 2\ndef score(x): return -x\ndef sample(n, generator): return torch.randn(n, 2)",
        "sample(n, generator) does not take all its random",
    ),
    (
        "dim = 2\ndef score(x): return -x\ndef sample(n, generator): return torch.randn(n, 3, generator=generator)",
        "sample(3, generator) gave (3, 3)",
    ),
    ("dim = 2\ndef score(x): return -x\ndef start(n): return torch.zeros(n, 2)", "start(3, generator) raised TypeError"),
    ("dim = 2\ndef score(x): return -x\nreference = 'a.npy'", "there is no file of draws"),
    ("dim = 2\ndef score(x): return -x\nFILES = ['../a.npy']", "there is no file '../a.npy' in its folder"),
]


@pytest.mark.parametrize(("text", "line"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_density_is_told_in_a_line(text, line, tmp_path):
    with torch.random.fork_rng(), pytest.raises(InputError) as told:
        target_of(tmp_path, text)
        from scorebench.core import files

        files.beside(tmp_path / "my_density.py")
    assert len(told.value.lines) == 1 and line in told.value.lines[0], told.value.lines


TAILS = {
    "dim = 2\ndef log_prob(x): return (-(x**2).sum(-1) / 2).exp()": r"log_prob(x) does not fall towards x = \[1e\+09, .*; is it the density, and not its log",
    "dim = 2\ndef log_prob(x): return -x[..., 0] ** 2": r"log_prob(x) does not fall towards x = \[.*, 1e\+09\]: its mass is not finite",
    "dim = 1\ndef log_prob(x): return 3 * x.cos().sum(-1)": r"log_prob(x) does not fall towards x = \[1e\+09\]",
    "dim = 2\ndef score(x): return torch.ones_like(x)": r"the law of score(x) does not fall towards x = \[1e\+09, ",
    "dim = 2\ndef log_prob(x): return -0.55 * (1 + x**2).log().sum(-1)": "",  # Student's of .1 degrees of freedom
    "dim = 3\ndef log_prob(x): return -x[..., 0] ** 2 / 18 - (x[..., 1:] ** 2).sum(-1) * (-x[..., 0]).exp() / 2 - x[..., 0]": "",
    "dim = 2\ndef log_prob(x): return torch.where((x.abs() < 6).all(-1), -(x**2).sum(-1) / 2, -torch.inf)": "",
    "dim = 1\ndef log_prob(x): return -(x**2).sum(-1) / 2e14": "",
    "dim = 1\ndef score(x): return -x.sign()": "",
}


@pytest.mark.parametrize("text", TAILS)
def test_a_law_whose_mass_is_not_finite_is_told(text, tmp_path):
    """By its slope along the axes up to 1e9, where that of Student's law with .1 degrees of freedom is -1.1; every other one here is 0 or below -1e3."""
    told = [remark for remark in target_of(tmp_path, text).remarks if "not fall" in remark]
    assert len(told) == bool(TAILS[text]) and all(re.search(TAILS[text].replace("(x)", r"\(x\)"), remark) for remark in told)


@pytest.mark.parametrize(
    "text",
    ["os._exit(0)", "dim = 1\ndef log_prob(x): os._exit(0)", "os.kill(os.getpid(), 9)", "raise SystemExit(0)"],
    ids=["at once", "of a point", "killed", "exits"],
)
@pytest.mark.parametrize("command", [["validate", "--suite", "own.yaml"], ["plan", "own.yaml"], ["score"], ["reference", "my_density.py"]])
def test_a_density_that_ends_its_process_is_told_in_a_line(command, text, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("my_density.py").write_text(f"import os\n{text}\n")
    Path("own.yaml").write_text(SUITE.replace("sub/", ""))
    np.save("draws.npy", np.zeros((100, 1)))
    command = ["score", "draws.npy", "--target", "density:path=my_density.py"] if command == ["score"] else command
    monkeypatch.setattr("sys.argv", ["scorebench", *command])
    with pytest.raises(SystemExit) as left:
        main()
    said = capfd.readouterr()
    lines = [line for line in said.err.splitlines() if "target 'density': " in line]
    assert left.value.code == 2 and not said.out and "Traceback" not in said.err and len(lines) == 1, said
    assert re.search(r"the process (exited with 0|was killed by SIGKILL)|SystemExit", lines[0]), lines


NORMAL = "dim = 2\ndef log_prob(x): return -(x**2).sum(-1) / 2\n"
MODES = "dim = 2\nm = torch.tensor([[4., 0], [-4, 0]])\n"
MODES += "def log_prob(x): return (torch.tensor([.8, .2]).log() - (x[:, None] - m).square().sum(-1) / 2).logsumexp(-1)\n"
DRAWS = "def sample(n, generator): return {}\n"
N = "torch.randn(n, 2, generator=generator)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (NORMAL + DRAWS.format("2 * " + N), "sample does not draw from the law of log_prob(x): over "),
        (NORMAL + DRAWS.format("0 * " + N), "coordinate 1 of the draws of sample is one number"),
        (NORMAL + DRAWS.format(".3 + " + N), "Metropolis steps, which leave its law as it is, take it to "),
        (NORMAL + DRAWS.format("torch.cumsum(" + N + ", 1)"), "sample does not draw from the law of log_prob(x)"),
        (MODES + DRAWS.format("m[(torch.rand(n, generator=generator) < .8).long()] + " + N), "the mean of x1 is "),
        ("dim = 2\ndef score(x): return 1 - x\n" + DRAWS.format(N), "sample does not draw from the law of score(x): over 5,000 draws the mean of s"),
        ("dim = 2\ndef score(x): return -x\n" + DRAWS.format("1.3 * " + N), "by Stein's identity it is "),
        (NORMAL + "reference = 'wide.npy'", "wide.npy does not draw from the law of log_prob(x): over 2,000 draws the mean of "),
        ("dim = 2\ndef log_prob(x): return (1 - x**2).log().sum(-1).nan_to_num(-torch.inf, neginf=-torch.inf)\n"
         "def start(n, generator): return .1 * " + N + "\n" + DRAWS.format(N), "log_prob(x) is -inf at "),
    ],
)  # fmt: skip
def test_draws_of_another_law_are_told(text, line, tmp_path):
    np.save(tmp_path / "wide.npy", 1.3 * np.random.default_rng(0).standard_normal((2_000, 2)))
    with pytest.raises(InputError, match=re.escape(line)):
        target_of(tmp_path, text)


LAWS = {
    "Cauchy": "dim = 2\nlaw = torch.distributions.Cauchy(0., 1.)\ndef log_prob(x): return law.log_prob(x).sum(-1)\n"
    + DRAWS.format("(math.pi * (torch.rand(n, 2, generator=generator) - .5)).tan()"),
    "lognormal": "dim = 2\ndef log_prob(x): return (-x.log()**2 / 8 - x.log()).nan_to_num(-torch.inf, neginf=-torch.inf).sum(-1)\n"
    + f"def start(n, generator): return {N}.exp()\n"
    + DRAWS.format(f"(2 * {N}).exp()"),
    "an edge with mass": "dim = 2\ndef log_prob(x): return torch.where((x > 0).all(-1), -x.sum(-1), -torch.inf)\n"
    "def start(n, generator): return .2 + torch.rand(n, 2, generator=generator)\n" + DRAWS.format("-torch.rand(n, 2, generator=generator).log()"),
    "a jump": "dim = 1\ndef log_prob(x): return -x[:, 0]**2 / 2 + (x[:, 0] > 0) * math.log(3)\n"
    + DRAWS.format("torch.randn(n, 1, generator=generator).abs() * (1 - 2 * (torch.rand(n, 1, generator=generator) < .25).float())"),
    "a funnel": "dim = 3\ndef log_prob(x): return -x[:, 0]**2 / 18 - (x[:, 1:]**2).sum(-1) * (-x[:, 0]).exp() / 2 - x[:, 0]\n"
    "def sample(n, generator):\n    z = torch.randn(n, 3, generator=generator)\n    return torch.cat([3 * z[:, :1], (1.5 * z[:, :1]).exp() * z[:, 1:]], 1)\n",
    "two modes": MODES + DRAWS.format(f"m[(torch.rand(n, generator=generator) < .2).long()] + {N}"),
    "an error outside": "dim = 2\nlaw = torch.distributions.Independent(torch.distributions.Exponential(torch.ones(2)), 1)\nlog_prob = law.log_prob\n"
    "def start(n, generator): return .2 + torch.rand(n, 2, generator=generator)\n" + DRAWS.format("-torch.rand(n, 2, generator=generator).log()"),
    "a heavy score": "dim = 2\ndef score(x): return -(1 + x.log() / 4) / x\n"
    + f"def start(n, generator): return {N}.exp()\n" + DRAWS.format(f"(2 * {N}).exp()"),
    "a narrow law far from the start": "dim = 2\ndef log_prob(x): return -((x - 3)**2).sum(-1) / 2e-8\n" + DRAWS.format("3 + 1e-4 * " + N),
    "a whole number of NumPy": "dim = np.int64(2)\ndef score(x): return -x\n" + DRAWS.format(N),
    "float32 within": "dim = 2\ndef log_prob(x): return (-1e6 - (x.float()**2).sum(-1) / 2).to(x)\n" + DRAWS.format(N),
    "one that is made once": "dim = 2\nif hasattr(torch, '_made_once'): raise RuntimeError\ntorch._made_once = 1\ndef score(x): return -x\n",
    "random weights": NORMAL.replace("x**2", "(x - m)**2") + "m = torch.randn(2) + torch.tensor(np.random.randn(2)).float()\n" + DRAWS.format("m + " + N),
}  # fmt: skip


@pytest.mark.parametrize("law", LAWS)
def test_a_right_density_with_right_draws_is_not_refused(law, tmp_path, monkeypatch):
    """Of log densities with probability 1 - 1e-6 each."""
    monkeypatch.setattr(torch, "_made_once", None, raising=False)
    monkeypatch.delattr(torch, "_made_once")
    told = " ".join(target_of(tmp_path, "import math\n" + LAWS[law]).remarks)
    assert ("which raises ValueError" in told) == (law == "an error outside"), told


def test_where_no_step_goes_anywhere_nothing_is_said(tmp_path, monkeypatch):
    """A law of some points alone, which no step from another meets: no step is no evidence that it is right."""
    g = stream("points")
    points, others = torch.randn(500, 2, generator=g, dtype=torch.float64).split([400, 100])
    moved = drawn.metropolis(lambda x: torch.where((x[:, None] == points).all(-1).any(-1), 0.0, -torch.inf), points, others, g)
    assert moved.name == "" and moved.t == 0
    monkeypatch.setattr(drawn, "metropolis", lambda *_: moved)
    told = "my_density.py: sample is not compared with log_prob: no Metropolis step went anywhere"
    assert told in target_of(tmp_path, NORMAL + DRAWS.format(N)).remarks


def test_draws_at_which_nothing_is_known_are_counted(tmp_path):
    """Beyond 3 the score is nan, at .5 % of the draws of N(0, I), and at no point of a narrow start."""
    text = f"dim = 2\ndef score(x): return torch.where((x.abs() < 3).all(-1, keepdim=True), -x, torch.nan)\ndef start(n, generator): return .1 * {N}\n"
    (told, *_) = (remark for remark in target_of(tmp_path, text + DRAWS.format(N)).remarks if "not finite" in remark)
    lost = re.fullmatch(r"my_density.py: score is not finite at (\d+) of 4,000 draws of sample: these were left out", told)
    assert lost and 0 < int(lost[1]) < 60  # 21.6 expected, 4.6 its deviation


def test_what_a_score_alone_does_not_see_of_draws_is_said(tmp_path):
    text = f"dim = 2\ndef score(x): return -x\ndef start(n, generator): return {N}\n" + DRAWS.format(N)
    assert target_of(tmp_path, text).remarks == (
        "my_density.py: sample agrees with score near each draw; whether modes that lie apart have their weights was not seen",
    )


FIXED = {
    "np.random.randn(2)": True,
    "[random.gauss(0, 1) for _ in range(2)]": True,
    "torch.randn(2)": True,
    "np.random.default_rng(0).normal(size=2)": True,
}
LOOSE = {
    "np.random.default_rng().normal(size=2)": False,
    "2 * [int(time.time()) % 9973 / 9973]": False,
    "list(os.urandom(2))": False,
    "[*helper.m]": False,
}


@pytest.mark.parametrize("drawn", FIXED | LOOSE)
def test_what_is_drawn_at_the_top_is_the_same_in_every_process(drawn, tmp_path, monkeypatch):
    """Whatever the global generators are at, which stay there; else it is refused, in a module beside it, too."""
    if "helper" in drawn:
        (tmp_path / "helper.py").write_text("import numpy as np\nm = np.random.default_rng().normal(size=2)\n")
    monkeypatch.delitem(sys.modules, "helper", raising=False)
    head = "import os, random, time\n" + "import helper\n" * ("helper" in drawn)
    text = f"{head}dim = 2\nm = torch.as_tensor({drawn}).float()\ndef score(x): return m - x\n"
    if not (FIXED | LOOSE)[drawn]:
        with pytest.raises(InputError, match="^my_density.py: run twice, it defines two: .* every job would have a density of its own"):
            target_of(tmp_path, text)
        return
    x, scores = torch.zeros(1, 2), []
    for k in range(2):
        np.random.seed(k)
        random.seed(k)
        state = np.random.get_state()[1].copy(), random.getstate()
        scores.append(target_of(tmp_path, text + f"# {k}").score(x))  # of another content it is run anew
        assert (np.random.get_state()[1] == state[0]).all() and random.getstate() == state[1]
    assert scores[0].equal(scores[1])


def test_no_python(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match="a density is a Python file"):
        parse("target", f"density:path={tmp_path / 'a.txt'}").build()


@pytest.mark.parametrize("factor", [1.0, 1.005])
def test_a_kink_and_rounding_are_no_mistake(factor, tmp_path):
    """A log density of size 1e6 in float32, and one with kinks; half of the smallest error that is told is not."""
    target_of(tmp_path, f"dim = 40\ndef log_prob(x): return -(x**2).sum(-1)/2 - 1e6\ndef score(x): return -{factor} * x")
    target_of(tmp_path, f"dim = 2\ndef log_prob(x): return -x.abs().sum(-1)\ndef score(x): return -{factor} * x.sign()", "other")


def test_what_is_told_of_starts_and_draws(tmp_path):
    text = "dim = 2\ndef score(x): return -x\n"
    start = "def start(n, generator): return 5 + torch.randn(n, 2, generator=generator)\n"
    draw = "def sample(n, generator): return torch.randn(n, 2, generator=generator)\n"
    assert "chains start from N(0, I)" in target_of(tmp_path, text).remarks[0]
    with_start = target_of(tmp_path, text + start, "a")
    assert with_start.remarks == (
        "a.py has neither sample nor reference: only what needs the score alone is measured (scorebench reference makes draws)",
    )
    assert abs(float(with_start.centre[0]) - 5) < 0.2 and 2 < with_start.radius < 8  # by the start
    with pytest.raises(NotApplicable, match="there is no exact sample"):
        with_start.mean  # noqa: B018
    right = "def log_prob(x): return -(x**2).sum(-1) / 2\n"
    assert target_of(tmp_path, text + right + start + draw, "b").remarks == ()


def test_reference_draws(tmp_path):
    """Independent ones as they are; of chains as many as they are worth: an autoregression of correlation .8 is worth a ninth (ESS within 25 %)."""
    g = np.random.Generator(np.random.PCG64(3))
    np.save(tmp_path / "rows.npy", g.standard_normal((500, 2)))
    chains = np.zeros((8, 2_000, 2))
    for k in range(1, 2_000):
        chains[:, k] = 0.8 * chains[:, k - 1] + 0.6 * g.standard_normal((8, 2))
    np.save(tmp_path / "chains.npy", chains)
    text = "dim = 2\ndef score(x): return -x\nreference = "
    assert target_of(tmp_path, text + "'rows.npy'", "a").rows == 500
    worth = target_of(tmp_path, text + "'chains.npy'", "b").rows
    assert 0.75 < worth / (16_000 * 0.2 / 1.8) < 1.25
    for name, array, line in (
        ("c", np.zeros((500, 3)), "it has 3 coordinates; the target has 2"),
        ("d", np.zeros((10, 2)), "10 draws, taken as independent (allowed: 32 or more)"),
        ("e", np.zeros((4, 100, 2)), "worth 0 independent ones"),
        ("f", np.full((50, 2), np.nan), "a missing value"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(InputError, match=re.escape(line)):
            target_of(tmp_path, text + f"'{name}.npy'", name)


@pytest.mark.parametrize("content", [b"{garbage", b"\xff", b"[]", b"{}", b'{"density": ""}'])
def test_a_record_that_is_none_is_told_in_a_line(content, tmp_path):
    np.save(tmp_path / "r.npy", np.random.default_rng(0).standard_normal((64, 2)))
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(
        InputError, match="^r.json is not what was written with r.npy .allowed: make both again, by scorebench reference my_dens"
    ):
        target_of(tmp_path, "dim = 2\ndef score(x): return -x\nreference = 'r.npy'")


def test_what_a_file_reads_beside_itself(tmp_path):
    """Named in FILES it is kept with the copy of a run, and its content counts; not named it is missed before any job, in a line."""
    from scorebench.commands.validate import validate
    from scorebench.core import files

    text = "from pathlib import Path\ndim = 2\nscale = float((Path(__file__).parent / 'scale.txt').read_text())\ndef score(x): return -x / scale\n"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "scale.txt").write_text("2.0")
    (tmp_path / "own.yaml").write_text(SUITE)
    (tmp_path / "sub" / "my_density.py").write_text(text)
    with pytest.raises(InputError, match="my_density.py cannot be run: FileNotFoundError.*FILES"):
        validate(Plan(load(tmp_path / "own.yaml")))
    (tmp_path / "sub" / "my_density.py").write_text(text + "FILES = ['scale.txt']\n")
    plan = Plan(load(tmp_path / "own.yaml"))
    validate(plan)
    load(tmp_path / "own.yaml")
    (spec,) = {on.target for on in plan.targets.values()}
    before = files.digest(spec)
    (tmp_path / "sub" / "scale.txt").write_text("3.0")
    assert files.digest(spec) != before


WIDE = P + "dim = 3\ndef log_prob(x): return -((x @ P) * x).sum(-1) / 2\n"


def test_reference_draws_are_made(tmp_path, monkeypatch):
    """Their law is the density's: each coordinate by Kolmogorov and Smirnov on every second draw, at 1e-4/3 each. They are marked, and stand for no other."""
    target_of(tmp_path, WIDE)
    file, out = tmp_path / "my_density.py", tmp_path / "my.npy"
    made = reference.write(file, out, "mala", 64, 5.0, 0)
    record = json.loads(out.with_suffix(".json").read_text())
    assert not made.short and record["exact"] and record["rhat"][0] < 1.01 and record["effective"][0] >= 10_000 and len(made.rows) >= 9_900
    covariance = np.linalg.inv(np.array([[2.0, 0.5, 0], [0.5, 1, 0.1], [0, 0.1, 3]]))
    for k in range(3):
        assert stats.kstest(made.rows[::2, k], stats.norm(scale=covariance[k, k] ** 0.5).cdf).pvalue > 1e-4 / 3
    target = target_of(tmp_path, WIDE + "reference = 'my.npy'")
    assert target.rows == len(made.rows) and "draws by mala, which is exact; R-hat at most 1.00" in target.remarks[-1]
    drawn = out.read_bytes()
    np.save(out, made.rows + 0.1)
    with pytest.raises(InputError, match=r"my.npy is not what my.json was written with \(allowed: make both again"):
        target_of(tmp_path, WIDE + "reference = 'my.npy'")
    out.write_bytes(drawn)
    with pytest.raises(InputError, match="was made of another my_density.py"):
        target_of(tmp_path, WIDE.replace("/ 2", "/ 3") + "reference = 'my.npy'")


def test_a_step_that_is_too_long_somewhere_is_halved(tmp_path, monkeypatch):
    """In the neck of a funnel chains stand still at the step that the pilot chose; where none may, it is shorter, and what stood still is seen to."""
    neck = "dim = 2\ndef log_prob(x): return -x[:, 0]**2/4.5 - x[:, 1]**2 * (-x[:, 0]).exp()/2 - x[:, 0]/2\n"
    target_of(tmp_path, neck)
    monkeypatch.setattr(reference, "R_HAT", 10.0)
    monkeypatch.setattr(reference, "EFFECTIVE", 1)
    halved = reference.write(tmp_path / "my_density.py", tmp_path / "a.npy", "mala", 64, 5.0, 0).record
    monkeypatch.setattr(reference, "SELDOM", 1.0)
    chosen = reference.write(tmp_path / "my_density.py", tmp_path / "b.npy", "mala", 64, 5.0, 0).record
    assert halved["step_size"] <= chosen["step_size"] / 2 and halved["acceptance"] > chosen["acceptance"]


def test_reference_draws_are_refused(tmp_path):
    """Two far modes, chains that start in one, too little time, a sampler that is not exact: each in words, and nothing is written."""
    far = "dim = 1\ndef log_prob(x): return torch.logaddexp(-(x-20)**2/2, -(x+20)**2/2).squeeze(-1)\n"
    wide = "def start(n, generator): return 20 * torch.randn(n, 1, generator=generator)\n"
    narrow = "def start(n, generator): return .1 * torch.randn(n, 1, generator=generator)\n"
    file, out = tmp_path / "my_density.py", tmp_path / "my.npy"
    target_of(tmp_path, far + wide)
    assert any(line.startswith("R-hat ") for line in reference.write(file, out, "mala", 16, 0.03, 0).short)
    target_of(tmp_path, "dim = 1\ndef log_prob(x): return -(x**2).sum(-1)/2\n" + narrow)
    assert "chains start too near each other" in reference.write(file, out, "mala", 64, 0.1, 0).short[-1]
    for arguments, line in (
        (("ula", 64), "--sampler 'ula' is not exact, or takes exact draws itself \\(allowed: .*mala"),
        (("exact", 64), "--sampler 'exact' is not exact"),
        (("mala_from_data", 64), "takes exact draws itself"),
        (("mala:step_size=0.1", 64), "--sampler 'mala:step_size=0.1': the step size is tuned, and the temperature is 1 .allowed: mala"),
        (("mala", 3), "--chains 3 is not allowed"),
        (("mala", 100_000_000), "--chains 100000000 is not allowed .allowed: 4 to 1000000"),
        (("mala", 64, math.nan), "--minutes nan is not allowed .allowed: more than 0"),
        (("mala", 64, -1.0), "--minutes -1 is not allowed"),
        (("mala", 64, 1.0, -1), "--seed -1 is not allowed .allowed: 0 or more"),
    ):
        with pytest.raises(InputError, match=line):
            reference.write(file, out, *arguments, *(0.1, 0)[len(arguments) - 2 :])
    target_of(tmp_path, "dim = 1\ndef score(x): return -x")
    with pytest.raises(InputError, match="has no log_prob"):
        reference.write(file, out, "mala", 64, 0.1, 0)
    assert not out.exists()


SUITE = """
name: own
seed: 3
metrics: [ksd, mean_error, mmd, acceptance, fisher_divergence]
experiments:
  - target: density:path=sub/my_density.py
    seeds: 2
    training: {size: 100, batch: 16, steps: [5], learning_rate: 1e-2}
    sources: {quadratic: [implicit]}
    exact:
      - {samplers: [mala, prior], step_sizes: [0.3, 40], temperatures: [1, 2], chains: 64, budgets: [100]}
      - {samplers: [exact], step_sizes: [1], chains: 64, budgets: [100]}
"""


@pytest.mark.parametrize("draws", ["none", "sample", "reference"])
def test_a_density_through_the_whole_suite(draws, tmp_path):
    """Without draws what needs the score alone has a value and the rest says why not; with a file of draws all but what would train on it."""
    (tmp_path / "sub").mkdir()
    more = {
        "none": "",
        "sample": "def sample(n, generator): return torch.randn(n, 3, generator=generator) @ torch.linalg.cholesky(P.inverse()).T\n",
        "reference": "reference = 'draws.npy'\n",
    }[draws]
    covariance = np.linalg.inv(np.array([[2.0, 0.5, 0], [0.5, 1, 0.1], [0, 0.1, 3]]))
    np.save(tmp_path / "sub" / "draws.npy", np.random.Generator(np.random.PCG64(1)).multivariate_normal(np.zeros(3), covariance, 4_000))
    target_of(tmp_path / "sub", WIDE + more)
    (tmp_path / "own.yaml").write_text(SUITE)
    plan = Plan(load(tmp_path / "own.yaml"))
    for stage in STAGES:
        for job in plan.jobs(stage):
            stages.run(stage, plan, job, tmp_path / "results")
    rows = Results(tmp_path / "results" / "own", plan).metrics
    at_one = rows[(rows["sampler"] == "mala") & (rows["temperature"] == 1) & (rows["step_size"] == 0.3)]
    by_metric = at_one.groupby("metric")["status"].agg(lambda statuses: set(statuses))
    assert by_metric["ksd"] == by_metric["acceptance"] == {"ok"}
    assert by_metric["mmd"] == by_metric["mean_error"] == ({"not_applicable"} if draws == "none" else {"ok"})
    ksd = at_one[at_one["metric"] == "ksd"]
    assert ksd["floor_mean"].isna().all() if draws == "none" else (ksd["z"].abs() < 6).all()
    learnt = rows[rows["metric"] == "fisher_divergence"]
    assert set(learnt["status"]) == ({"ok"} if draws == "sample" else {"not_applicable"})
    warm = rows[(rows["sampler"] == "mala") & (rows["temperature"] == 2) & (rows["step_size"] == 0.3)]
    assert set(warm.loc[warm["metric"] == "ksd", "status"]) == {"ok"}
    assert set(rows.loc[rows["sampler"] == "exact", "status"]) == ({"ok"} if draws == "sample" else {"not_applicable"})
