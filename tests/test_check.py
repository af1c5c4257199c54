"""`scorebench check` and `new`: each planted fault fails with words that name it, and the file without it passes (tests/test_examples.py).

The files are shipped or example methods, changed in one place. Faults are found in this process (`here`), and the net under them by the command itself.
False alarms: a check that rests on chance has 1e-5 for each spec (testing/contract.py), those of this file together below 1e-3.
"""

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rich.console
import torch
from forked_python import python

from scorebench import cli
from scorebench.commands import check as checking
from scorebench.commands import new as writing
from scorebench.core import plugins, registry
from scorebench.core.errors import InputError
from scorebench.testing import contract, examples, metrics, targets
from scorebench.testing.contract import unchanged

ROOT = registry.ROOT
SOURCES = {
    "target": (ROOT / "examples/banana.py", "banana", "mine"),
    "model": (ROOT / "models/mlp_energy.py", "MLPEnergy", "Mine"),
    "rbf": (ROOT / "examples/rbf_energy.py", "RBFEnergy", "Mine"),
    "kernel": (ROOT / "models/kernel_exponential.py", "KernelExponential", "Mine"),
    "loss": (ROOT / "losses/implicit.py", "implicit", "mine"),
    "sliced": (ROOT / "losses/sliced.py", "sliced", "mine"),
    "denoising": (ROOT / "losses/denoising.py", "denoising", "mine"),
    "penalty": (ROOT / "examples/curvature_penalty.py", "curvature_penalty", "mine"),
    "ula": (ROOT / "samplers/ula.py", "ULA", "Mine"),
    "tamed": (ROOT / "examples/tamed_ula.py", "TamedULA", "Mine"),
    "mala": (ROOT / "samplers/mala.py", "MALA", "Mine"),
    "underdamped": (ROOT / "samplers/underdamped.py", "Underdamped", "Mine"),
    "own loop": (ROOT / "examples/more/random_walk.py", "RandomWalk", "Mine"),
    "metric": (ROOT / "examples/energy_distance.py", "energy_distance", "mine"),
    "moment": (ROOT / "metrics/second_moment_bias.py", "second_moment_bias", "mine"),
    "claim": (ROOT / "examples/fisher_information.py", "fisher-information", "mine"),
    "figure": (ROOT / "examples/distance_and_floor.py", "distance_and_floor", "mine"),
}
"""A file of each kind, and what is called like it."""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Faults use global generators: they are put back."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    yield
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])
    for function in (targets.built, targets.grid_of, targets.power, metrics.floor, metrics.share_seen, metrics.spreads):
        function.cache_clear()


def written(folder: Path, source: str, *changes: tuple[str, str]) -> Path:
    """The source as mine.py, changed."""
    path, old, new = SOURCES[source]
    text = path.read_text(encoding="utf-8")
    text = text.replace(f"def {old}(", f"def {new}(").replace(f"class {old}", f"class {new}")
    text = text.replace(f'"{path.stem}', '"mine').replace(f'"{old}', '"mine')
    for before, after in changes:
        assert before in text, f"{source} has no {before!r}"
        text = text.replace(before, after)
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return folder / "mine.py"


def failures(path: Path) -> Iterator[str]:
    return (finding.reason for finding in checking.check([path], "", 0, checking.here) if not finding.passed)


STEP = "return State(state.x + c * density.score(state.x) + (2 * c * t).sqrt() * draws[:, None]), Info()"
NOISE = "torch.randn(shape, generator=generator, device=generator.device)"
VALUE = "return divergence + 0.5 * s.square().sum(-1)"
KEEP = "return metropolis(proposal, state, log_ratio, uniform)"
CHOSEN = "chosen, info = metropolis(proposal, state, log_ratio, uniform)\n        accept = uniform < info.acceptance\n        "
FAULTS: dict[str, tuple[str, list[tuple[str, str]], str, str]] = {
    # sign
    "loss: sign": ("loss", [(VALUE, "return -divergence - 0.5 * s.square().sum(-1)")], "leads_back_to_where_it_is_stationary", "sign: at "),
    "loss: sign of the curvature": (
        "loss",
        [(VALUE, "return -divergence + 0.5 * s.square().sum(-1)")],
        "is_stationary_where_it_says",
        "fixed point: ",
    ),
    "sampler: sign": (
        "ula",
        [("+ c * density.score", "- c * density.score")],
        "has_the_bias_that_it_states",
        "is the sign of the score that of x' = x + c s(x)",
    ),
    "exact sampler: sign": (
        "mala",
        [("state.x + c[..., None] * state.score", "state.x - c[..., None] * state.score")],
        "keeps_the_law",
        "leaves p^(1/T) invariant",
    ),
    "target: sign": (
        "target",
        [("2 * bend * x[..., 0] * across - along, -across", "along - 2 * bend * x[..., 0] * across, across")],
        "has_the_score_of_its_density",
        "grad log p",
    ),
    # noise and temperature
    "noise sqrt(c T)": (
        "ula",
        [("(2 * c * t).sqrt()", "(c * t).sqrt()")],
        "has_the_bias_that_it_states",
        "x' = x + c s(x) + sqrt(2 c T) eps",
    ),
    "noise 10 % too large": (
        "ula",
        [("(2 * c * t).sqrt()", "1.1 * (2 * c * t).sqrt()")],
        "has_the_bias_that_it_states",
        "x' = x + c s(x) + sqrt(2 c T) eps",
    ),
    "noise 10 % too large, no theory": (
        "ula",
        [("(2 * c * t).sqrt()", "1.1 * (2 * c * t).sqrt()"), ("def theory", "def other")],
        "has_the_bias_that_it_states",
        "the stationary variance at c = ",
    ),
    "noise 10 % too large in draws": (
        "ula",
        [(f"return {NOISE}", f"return 1.1 * {NOISE}")],
        "has_the_bias_that_it_states",
        "noise: after 24 steps from 0",
    ),
    "noise sqrt(c T), not linear": (
        "tamed",
        [("(2 * c * t).sqrt()", "(c * t).sqrt()")],
        "has_the_bias_that_it_states",
        "temperature and noise: ",
    ),
    "noise of one coordinate for all": (
        "ula",
        [(f"return {NOISE}", f"return {NOISE}[:, :1].expand(shape)")],
        "has_the_bias_that_it_states",
        "noise: after 24 steps from 0",
    ),
    "exact sampler: noise sqrt(c T)": (
        "mala",
        [("(2 * c * t)[..., None].sqrt()", "(c * t)[..., None].sqrt()")],
        "keeps_the_law",
        "temperature and law: at T = ",
    ),
    "temperature ignored": ("ula", [("(2 * c * t).sqrt()", "(2 * c).sqrt()")], "obeys_its_grid", "temperature is accepted and ignored"),
    "temperature squared": ("ula", [("(2 * c * t).sqrt()", "(2 * c).sqrt() * t")], "has_the_bias_that_it_states", " at T = "),
    "temperature squared, not linear": (
        "tamed",
        [("(2 * c * t).sqrt()", "(2 * c).sqrt() * t")],
        "has_the_bias_that_it_states",
        "temperature and noise: ",
    ),
    "exact sampler: temperature squared": (
        "mala",
        [("log_prob) / t + self", "log_prob) / t**2 + self")],
        "keeps_the_law",
        "temperature and law: at T = ",
    ),
    "exact sampler: temperature ignored": (
        "mala",
        [("log_prob) / t + self", "log_prob) + self")],
        "keeps_the_law",
        "temperature and law: at T = ",
    ),
    "underdamped: temperature squared": (
        "underdamped",
        [("self.temperature[..., None] * gone", "self.temperature[..., None].square() * gone")],
        "has_the_bias_that_it_states",
        " at T = ",
    ),
    "step ignored": (
        "ula",
        [("c, t = self.step_size[..., None],", "c, t = 0.05 + 0 * self.step_size[..., None],")],
        "obeys_its_grid",
        "step_size is accepted and ignored",
    ),
    # a refused state
    "refused state not repeated, moved on": (
        "mala",
        [(KEEP, CHOSEN + "return proposal, info")],
        "keeps_the_law",
        "where one is refused the state is repeated",
    ),
    "refused state dropped": (
        "mala",
        [
            (
                KEEP,
                CHOSEN
                + "x = torch.where(accept[..., None], chosen.x, chosen.x.roll(1, 2))\n        return State(x, *density.score_and_log_prob(x)), info",
            )
        ],
        "keeps_the_law",
        "where one is refused the state is repeated",
    ),
    "refused state proposed again": (
        "mala",
        [
            (
                KEEP,
                CHOSEN
                + "again = state.x + 0.7 * eps * (2 * c * t)[..., None].sqrt()\n        x = torch.where(accept[..., None], chosen.x, again)\n"
                "        return State(x, *density.score_and_log_prob(x)), info",
            ),
            ("GRADIENTS = 1", "GRADIENTS = 2"),
        ],
        "keeps_the_law",
        "where one is refused the state is repeated",
    ),
    # after many steps, and in other dimensions
    "exact sampler: all accepted from the seventh step on": (
        "mala",
        [
            ("    log_prob: Tensor  # (seed, grid, chain)\n", "    log_prob: Tensor  # (seed, grid, chain)\n    k: Tensor\n"),
            ("(x, *density.score_and_log_prob(x))", "(x, *density.score_and_log_prob(x), x.new_zeros(x.shape[:-1]))"),
            ("(y, *density.score_and_log_prob(y))", "(y, *density.score_and_log_prob(y), state.k + 1)"),
            (
                KEEP,
                "log_ratio = log_ratio.where(state.k < 6, 0)\n        return metropolis(proposal, state._replace(k=state.k + 1), log_ratio, uniform)",
            ),
        ],
        "keeps_the_law",
        "in R^5 at T = 2, c = 0.4, 50 steps from exact draws",
    ),
    "exact sampler: two coordinates in the proposal's ratio": (
        "mala",
        [("eps.square().sum(-1) / 2 - back.square()", "eps[..., :2].square().sum(-1) / 2 - back[..., :2].square()")],
        "keeps_the_law",
        "in R^5 at T = 2, c = 0.4, 50 steps from exact draws",
    ),
    "noise shared out over the coordinates": (
        "ula",
        [("(2 * c * t).sqrt()", "(4 * c * t / state.x.shape[-1]).sqrt()")],
        "has_the_bias_that_it_states",
        "the stationary variance is ",
    ),
    # the order, and what is not said
    "order": ("ula", [("ORDER = 1", "ORDER = 2")], "has_the_bias_that_it_states", "with ORDER = 2 it tends to "),
    "theory": ("ula", [("(1 - step_size / (2 * variance))", "(1 - step_size / variance)")], "has_the_bias_that_it_states", "theory says "),
    "nothing stated": (
        "ula",
        [("ORDER = 1\n", ""), ("def theory", "def other")],
        "has_the_bias_that_it_states",
        "EXACT = False, and the file does not say what holds instead",
    ),
    "said to be exact": (
        "ula",
        [("EXACT = False", "EXACT = True")],
        "keeps_the_law",
        "EXACT = True says that a step of any size leaves p^(1/T) invariant",
    ),
    "fixed point not stated": (
        "penalty",
        [("def stationary", "def other")],
        "is_stationary_where_it_says",
        "the file does not say where the loss is stationary instead",
    ),
    "stationary elsewhere": (
        "penalty",
        [("perturbed(penalty**0.5)", "perturbed(penalty)")],
        "is_stationary_where_it_says",
        "fixed point: ",
    ),
    "fixed point: the target for the noised one": (
        "denoising",
        [("return target.perturbed(sigma)", "return target")],
        "is_stationary_where_it_says",
        "fixed point: ",
    ),
    "fixed point: 20 % more noise": (
        "denoising",
        [("return target.perturbed(sigma)", "return target.perturbed(1.2 * sigma)")],
        "is_stationary_where_it_says",
        "fixed point: ",
    ),
    "loss: 10 % off": ("loss", [(VALUE, "return divergence + 0.55 * s.square().sum(-1)")], "is_stationary_where_it_says", "fixed point: "),
    "loss: trace at another point": (
        "loss",
        [(VALUE, "return score_and_divergence(model, 0.5 * x)[1] + 0.5 * s.square().sum(-1)")],
        "is_stationary_on_a_mixture",
        "fixed point: on two modes",
    ),
    "loss: trace at a noised point": (
        "loss",
        [
            (VALUE, "return score_and_divergence(model, x + 0.3 * draws)[1] + 0.5 * s.square().sum(-1)"),
            ("x.new_zeros(len(x), 0)", "torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)"),
        ],
        "is_stationary_on_a_mixture",
        "fixed point: on two modes",
    ),
    "loss: zero": ("loss", [(VALUE, "return 0 * divergence")], "leads_back_to_where_it_is_stationary", "sign: at "),
    "loss: detached": (
        "loss",
        [(VALUE, "return divergence.detach() + 0.5 * s.square().sum(-1)")],
        "has_the_gradient_of_its_value",
        "the gradient on ",
    ),
    # gradients
    "gradients: one said, two made": (
        "ula",
        [("+ c * density.score(state.x)", "+ c * (density.score(state.x) + density.score(state.x)) / 2")],
        "counts_its_gradients",
        "GRADIENTS = 1, and 2 ",
    ),
    "gradients: two said, one made": ("ula", [("GRADIENTS = 1", "GRADIENTS = 2")], "counts_its_gradients", "GRADIENTS = 2, and 1 "),
    # generators
    "sampler: torch's generator": ("ula", [(NOISE, "torch.randn(shape)")], "draws_by_its_generator", "draws used torch's global generator"),
    "sampler: numpy's generator": (
        "ula",
        [
            (NOISE, "torch.as_tensor(np.random.randn(*shape), dtype=torch.float32)"),
            ("import torch\n", "import numpy as np\nimport torch\n"),
        ],
        "draws_by_its_generator",
        "draws used numpy's global generator",
    ),
    "sampler: Python's generator": (
        "ula",
        [
            ("(2 * c * t).sqrt() * draws", "random.choice([-1, 1]) * (2 * c * t).sqrt() * draws"),
            ("import torch\n", "import random\n\nimport torch\n"),
        ],
        "draws_by_its_generator",
        "a step used Python's global generator",
    ),
    "loss: torch's generator": (
        "sliced",
        [("gaussian = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)", "gaussian = torch.randn_like(x)")],
        "draws_by_its_generator",
        "draws used torch's global generator",
    ),
    "loss: fresh entropy": (
        "loss",
        [
            ("x.new_zeros(len(x), 0)", "torch.as_tensor(np.random.default_rng().normal(size=(len(x), 1)))"),
            ("import torch\n", "import numpy as np\nimport torch\n"),
        ],
        "gives_one_value_a_row",
        "draws rest on their generator alone",
    ),
    "model: torch's generator": (
        "model",
        [("dense(width, 1, generator)", "nn.Linear(width, 1)")],
        "starts_from_its_generator",
        "used torch's global generator",
    ),
    "target: torch's generator": (
        "target",
        [("torch.randn(n, 2, generator=generator, device=generator.device)", "torch.randn(n, 2)")],
        "draws_by_its_generator",
        "sample used torch's global",
    ),
    "chains share their noise": (
        "ula",
        [(f"return {NOISE}", f"return {NOISE}[:1].expand(shape)")],
        "draws_by_its_generator",
        "chains share their random numbers",
    ),
    # in place
    "sampler: state changed in place": (
        "ula",
        [(STEP, "state.x.add_(c * density.score(state.x) + (2 * c * t).sqrt() * draws[:, None])\n        return State(state.x), Info()")],
        "steps_without_side_effects",
        "a step changes the old state in place",
    ),
    "loss: data changed in place": (
        "loss",
        [("s, divergence = score", "x += 0\n    x.mul_(0.999)\n    s, divergence = score")],
        "changes_nothing_in_place",
        "in place",
    ),
    "model: points changed in place": (
        "rbf",
        [("squares = (x[", "x.mul_(0.999)\n        squares = (x[")],
        "changes_nothing_in_place",
        "forward changes x in place",
    ),
    "metric: run changed in place": (
        "moment",
        [("x = run.samples.double() -", "x = run.samples.mul_(1.001).double() -")],
        "is_a_function_of_its_arguments",
        "in place",
    ),
    # shapes
    "sampler: one seed alone": ("ula", [("draws[:, None]), Info()", "draws.squeeze(0)), Info()")], "has_any_shape", "shapes: "),
    "sampler: one cell alone": (
        "ula",
        [("c, t = self.step_size[..., None], self.temperature[..., None]", "c, t = self.step_size[0], self.temperature[0]")],
        "keeps_seeds_cells_and_chains_apart",
        "the cell c = ",
    ),
    "sampler: two dimensions alone": (
        "ula",
        [(f"return {NOISE}", "return torch.randn(shape[0], 2, generator=generator, device=generator.device)")],
        "has_any_shape",
        "shapes: ",
    ),
    "sampler: many chains alone": (
        "ula",
        [("draws[:, None]), Info()", "(draws - draws.mean(1, keepdim=True))[:, None]), Info()")],
        "keeps_seeds_cells_and_chains_apart",
        "other random numbers of one chain moved",
    ),
    "loss: one dimension alone": (
        "loss",
        [(VALUE, "return divergence + 0.5 * s[..., 0].square()")],
        "is_stationary_where_it_says",
        "fixed point: ",
    ),
    "loss: a mean for rows": (
        "loss",
        [(VALUE, "return divergence + 0.5 * s.square().sum(-1).mean()")],
        "gives_one_value_a_row",
        "a row's value rests on its own row",
    ),
    "model: rows mixed": (
        "model",
        [("return self.out(x).squeeze(-1)", "return (self.out(x) - 0.1 * x.mean()).squeeze(-1)")],
        "gives_row_by_row",
        "rests on its own row",
    ),
    "model: one dimension alone": (
        "rbf",
        [("(x[..., None, :] - self.centres).square().sum(-1)", "(x - self.centres[:, 0]).square()")],
        "gives_row_by_row",
        "it raises RuntimeError: The size of tensor a",
    ),
    # not a number
    "loss: NaN for some rows": (
        "loss",
        [(VALUE, "return (divergence + 0.5 * s.square().sum(-1)).where(x[:, 0] < 2.5, torch.nan)")],
        "is_finite_on_every_row",
        "is not finite in ",
    ),
    "sampler: NaN for some chains": (
        "ula",
        [("density.score(state.x) +", "density.score(state.x).where(state.x < 4, torch.nan) +")],
        "has_any_shape",
        "is not finite in ",
    ),
    "model: NaN for some points": (
        "rbf",
        [("bumps = (self", "bumps = (x[..., 0] + 4).log() * 0 + (self")],
        "is_finite_everywhere",
        "is not finite in ",
    ),
    "target: NaN for some points": (
        "target",
        [("return torch.stack([2 * bend", "along = along / (x[..., 0] < 9)\n        return torch.stack([2 * bend")],
        "is_finite_everywhere",
        "not finite",
    ),
    # options
    "option ignored: loss": (
        "penalty",
        [("0.5 * penalty * slopes", "0.05 * slopes")],
        "obeys_its_options",
        "the option 'penalty' is accepted and ignored",
    ),
    "option ignored: sampler": (
        "underdamped",
        [("self.friction", "1.0")],
        "obeys_its_options",
        "the option 'friction' is accepted and ignored",
    ),
    "option ignored: model": (
        "rbf",
        [("self.width, self.reach = width, reach", "self.width, self.reach = 1.0, reach")],
        "obeys_its_options",
        "the option 'width' is accepted and ignored",
    ),
    "option ignored: target": (
        "target",
        [("return _at(width, bend,", "return _at(width, 0.3,")],
        "obeys_its_options",
        "the option 'bend' is accepted and ignored",
    ),
    "option inherited: sampler": (
        "ula",
        [
            (
                "@dataclass(frozen=True, eq=False)\nclass Mine:",
                "@dataclass(frozen=True, eq=False)\nclass Base:\n    damping: float = 1.0\n\n\n"
                "@dataclass(frozen=True, eq=False)\nclass Mine(Base):",
            ),
            (
                "    step_size: Tensor\n    temperature: Tensor\n",
                "    step_size: Tensor = torch.ones(1, 1)\n    temperature: Tensor = torch.ones(1, 1)\n",
            ),
        ],
        "lists_its_options",
        "the option 'damping' can not be set in a spec nor seen in a list",
    ),
    "option inherited: model": (
        "rbf",
        [
            ("class Mine(nn.Module):", "class Base(nn.Module):"),
            (
                "return x.square().sum(-1) / (2 * self.reach**2) - bumps",
                "return x.square().sum(-1) / (2 * self.reach**2) - bumps\n\n\nclass Mine(Base):\n    pass",
            ),
            ('EXAMPLES = ("mine", "mine:centres=5,width=0.5")\n', ""),
        ],
        "lists_its_options",
        "the options 'centres', 'width', 'reach' can not be set",
    ),
    "option positional": (
        "target",
        [
            ("def mine(*, width: Positive = 2.0, bend", "def mine(width: Positive = 2.0, *, bend"),
            (", a = {width}", ""),
            ('"mine:width=1,bend=1"', ""),
        ],
        "lists_its_options",
        "the option 'width' can not be set in a spec",
    ),
    # needs
    "loss reads what it does not name": ("loss", [("x.new_zeros(len(x), 0)", "target.score(x)")], "needs_what_it_says", "does not name"),
    # metrics
    "metric: order of the chains": (
        "moment",
        [("x = run.samples.double()", "x = run.samples.double().cumsum(-2) / 9")],
        "ignores_the_order_of_the_chains",
        "chains are exchangeable",
    ),
    "metric: order of the exact draws": (
        "metric",
        [("reference[:, None, :MOST]", "reference[:, None, : run.samples.shape[-2] // 2]")],
        "ignores_the_order_of_the_chains",
        "exact draws are exchangeable",
    ),
    "metric: reads what it does not name": (
        "moment",
        [("value, error = mean", "x = x + 0 * run.acceptance.mean()\n    value, error = mean")],
        "reads_what_it_needs",
        "does not name",
    ),
    "metric: needs what it does not read": (
        "moment",
        [('NEEDS = {"run.samples"}', 'NEEDS = {"run.samples", "run.trace"}')],
        "reads_what_it_needs",
        "NEEDS names trace, which it does not read",
    ),
    "metric: floor not at its floor": (
        "moment",
        [
            ("return Estimate(value - 1, error)", "_CALLS.append(1)\n    return Estimate(value - 1 + 0.1 * len(_CALLS), error)"),
            ("def mine", "_CALLS: list[int] = []\n\n\ndef mine"),
        ],
        "has_exact_draws_at_its_floor",
        "floor: exact draws are at z = ",
    ),
    "metric: another value when it is called again": (
        "moment",
        [
            ("return Estimate(value - 1, error)", "return Estimate(value - torch.rand(()), error)"),
            ("from torch import Tensor", "import torch\nfrom torch import Tensor"),
        ],
        "is_a_function_of_its_arguments",
        "torch's global generator",
    ),
    "metric: blind to what it says it sees": (
        "metric",
        [('SEES = {"lost_mode", "wrong_weights"}', 'SEES = {"narrow_modes"}')],
        "sees_the_faults_that_it_says",
        "SEES names 'narrow_modes'",
    ),
    "metric: standard error twice": (
        "metric",
        [("2 * (across - within)", "4 * (across - within)")],
        "has_its_standard_error",
        "standard error: ",
    ),
    "metric: standard error half": (
        "metric",
        [("2 * (across - within)", "1 * (across - within)")],
        "has_its_standard_error",
        "standard error: ",
    ),
    "metric: a cell in company": (
        "moment",
        [("return Estimate(value - 1, error)", "return Estimate(value / value.mean(), error)")],
        "measures_each_cell_alone",
        "a cell rests on no other",
    ),
    "metric: wrong shape": (
        "moment",
        [("return Estimate(value - 1, error)", "return Estimate(value.mean(1), error)")],
        "measures_each_cell_alone",
        "(2, 3) was expected",
    ),
    # targets
    "target: draws 10 % too wide": ("target", [("* variances.sqrt()", "* 1.1 * variances.sqrt()")], "draws_its_density", "draws at T = "),
    "target: bent the other way in draws": (
        "target",
        [("y[:, 1] + bend * (y[:, 0]", "y[:, 1] - bend * (y[:, 0]")],
        "draws_its_density",
        "draws at T = ",
    ),
    "target: normaliser": ("target", [("(2 * torch.pi * v).log()", "(torch.pi * v).log()")], "integrates_to_one", "normaliser: "),
    "target: tempered by the square": (
        "target",
        [("_at(width, bend, temperature * other, prior)", "_at(width, bend, temperature * other**2, prior)")],
        "tempers_to_the_power",
        "tempered(T) is p^(1/T) up to its constant",
    ),
    "target: itself at T = 1": (
        "target",
        [("target if other == 1 else ", "")],
        "declares_its_members",
        "tempered(1) is not the target itself",
    ),
    "target: truth of the variance": ("target", [("variances.sum() + 2 *", "variances.sum() +")], "has_its_truths", "truths"),
    "target: truth of the mean": ("target", [("mean = torch.tensor([0.0,", "mean = torch.tensor([0.1,")], "has_its_truths", "truths"),
    "target: perturbed wrongly": (
        "target",
        [
            (
                "        tempered=tempered,",
                "        tempered=tempered,\n        perturbed=lambda sigma: _at((width**2 + sigma**2) ** 0.5, bend, 1.0, prior),",
            )
        ],
        "perturbs_by_convolution",
        "p * N(0, sigma^2 I)",
    ),
    "target: shape of the modes": (
        "target",
        [("        tempered=tempered,", "        tempered=tempered,\n        modes=mean,")],
        "has_its_modes",
        "a centre a row",
    ),
    "target: draws of another type": (
        "target",
        [("return torch.stack([y[:, 0], y[:, 1] +", "return torch.stack([y[:, 0].double(), y[:, 1].double() +")],
        "draws_by_its_generator",
        "torch.float32 was expected",
    ),
    # a model with a closed form
    "model: not linear": (
        "kernel",
        [("@ self.weights", "@ self.weights.square()")],
        "is_linear_where_it_says",
        "the output at weights = a + b",
    ),
    "model: not the norm": (
        "kernel",
        [("return self._kernel(self.centres)", "return -self._kernel(self.centres)")],
        "is_linear_where_it_says",
        "a squared norm has none below 0",
    ),
    # a loop of a sampler's own
    "own loop: temperature ignored": (
        "own loop",
        [("(2 * self.step_size * t)", "(2 * self.step_size)"), ("(log_p_y - log_p) / t", "log_p_y - log_p")],
        "obeys_its_grid",
        "temperature is accepted and ignored",
    ),
    "own loop: noise without decision": (
        "own loop",
        [("accept = uniform < share", "accept = uniform < 1 + share")],
        "comes_to_its_law",
        "temperature and law: at T = ",
    ),
    "own loop: gradients counted wrongly": (
        "own loop",
        [("tuple(budgets), trace", "tuple(b // 2 for b in budgets), trace")],
        "spends_what_it_says",
        "gradients: a budget of ",
    ),
    "own loop: one snapshot": (
        "own loop",
        [("for b in budgets])", "for b in budgets[-1:]])")],
        "leaves_what_a_run_leaves",
        "has shape (1, ",
    ),
    "own loop: the global generator": ("own loop", [("generator=g, ", "")], "leaves_what_a_run_leaves", "global generator"),
    "own loop: two seeds alike": (
        "own loop",
        [("for g in generators]", "for g in [g.manual_seed(1) for g in generators]]")],
        "leaves_what_a_run_leaves",
        "two seeds have the same chains",
    ),
    "own loop: the start changed in place": (
        "own loop",
        [("log_p, path, shares =", "start.mul_(0.5)\n        log_p, path, shares =")],
        "leaves_what_a_run_leaves",
        "in place",
    ),
    # claims and figures
    "claim: verdict": ("claim", [('EXPECTED = "reproduced"', 'EXPECTED = "refuted"')], "comes_to_its_verdict", "verdict: "),
    "claim: number off by 2 %": ("claim", [("DIM / v) for", "1.02 * DIM / v) for")], "comes_to_its_verdict", "verdict: "),
    "claim: too few draws": ("claim", [("200_000", "2_000")], "comes_to_its_verdict", "verdict: underpowered came"),
    "claim: no seed": ("claim", [("generator(master, ", "generator(1, ")], "rests_on_its_master_seed", "from two master seeds"),
    "figure: draws nothing": (
        "figure",
        [
            (
                '    lines(ax, rows, "gradient_evaluations"',
                '    figure.add_subplot().set(title="nothing")\n    lines(ax, rows, "gradient_evaluations"',
            )
        ],
        "is_drawn_by_its_job",
        "it draws nothing: panel 2 is empty",
    ),
}
"""What is planted: where, how, which check sees it, and what the failure must say."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the check that is about it. Before it that of what the file declares is run, which ends all others where it fails."""
    source, changes, seen_by, said = FAULTS[fault]
    path = written(tmp_path, source, *changes)
    first, *others = contract.contract(plugins.kind_of(path))
    (sees,) = [check for check in (first, *others) if check.__name__ == seen_by]
    monkeypatch.setattr(contract, "contract", lambda kind: tuple(dict.fromkeys((first, sees))))
    found = []
    for reason in failures(path):
        found.append(reason)
        if said in reason:
            return
    pytest.fail(f"{said!r} is not said: {found}")


BODY = "        " + STEP
MISDEEDS = {
    "raises": ("raise ValueError('no such luck')", "it raises ValueError: no such luck (mine.py, line "),
    "cannot say what": (
        "raise type('Dumb', (Exception,), {'__str__': lambda self: 1 / 0})",
        "it raises Dumb: it cannot even say what it is (mine.py, line ",
    ),
    "exits": ("raise SystemExit(3)", "it raises SystemExit: 3 (mine.py, line "),
    "dies": ("import os; os._exit(7)", "the process exited with 7"),
    "hangs": ("import time; time.sleep(1e4)", "timeout"),
    "eats memory": ("state = [torch.ones(10**7) for _ in range(10**4)]", "MB, more than the "),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_code_that_misbehaves_is_a_failed_check(misdeed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reason, in a process of its own; the checks after it go on."""
    line, said = MISDEEDS[misdeed]
    path = written(tmp_path, "ula", (BODY, f"        {line}"))
    monkeypatch.setattr(checking, "SECONDS", 0.3 if misdeed == "hangs" else 60.0)
    monkeypatch.setattr(checking, "MEGABYTES", 1_500.0)
    quick = [one for one in contract.contract("sampler") if one.__name__ in ("steps_without_side_effects", "lists_its_options")]
    monkeypatch.setattr(contract, "contract", lambda kind: quick)
    found = list(checking.check([path], "", 0))
    assert [finding.passed for finding in found] == [True, True, True, False]
    assert said in found[-1].reason and len(str(found[-1]).splitlines()) == 1


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a check, exit code 1 where one fails; the same as JSON; nothing that the method prints is among it."""
    path = written(
        tmp_path, "mala", ("return State(x, *", "print('here')\n        return State(x, *"), ("log_prob) / t + self", "log_prob) + self")
    )
    done = subprocess.run([python(), "-m", "scorebench", "check", str(path)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and all(line.startswith(("ok      mine", "FAILED  mine")) for line in lines)
    assert any(line.startswith("FAILED") and "temperature and law: at T = 0.5" in line for line in lines)
    assert "Traceback" not in done.stdout and "here" in done.stderr and len(lines) > 10

    quick = contract.contract("sampler")[:2]
    monkeypatch.setattr(contract, "contract", lambda kind: quick)
    cli.check([written(tmp_path, "mala")], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 4 and all(finding["passed"] and finding["kind"] == "sampler" for finding in found)
    assert set(found[0]) == {"file", "kind", "spec", "check", "passed", "reason"}


def test_a_broken_file_fails_its_first_check(tmp_path: Path) -> None:
    for text, said in (
        ("def mine(:\n", "the file can not be read: SyntaxError"),
        ("import nothing_of_this_name\n\ndef mine():\n    pass\n", "nothing_of_this_name"),
        ("GRADIENTS = 1\n", "defines no function or class called like the file"),
        ("EXAMPLES = ('ula',)\nGRADIENTS = 1\nclass Mine:\n    pass\n", "EXAMPLES names 'ula'"),
    ):
        (tmp_path / "mine.py").write_text(text)
        found = list(checking.check([tmp_path / "mine.py"], "", 0, checking.here))
        assert not found[-1].passed and said in found[-1].reason, found
        plugins.files.clear()
        registry.entry.cache_clear()
        plugins.kind_of.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.py"], "there is no such file"),
        (["mine.py", "--kind", "samplr"], "--kind 'samplr' is unknown; did you mean 'sampler'?"),
        (["mine.py", "--kind", "loss"], "is a sampler by what it defines (a loss's file defines draws, or says KIND = 'loss')"),
        (["mine.py", "--seed", "-1"], "--seed -1 is not allowed"),
        (["ula.py"], "there is a sampler 'ula' already"),
        (["loop.py"], "there is no such file"),
    ],
)
def test_what_can_not_be_checked_is_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "ula").rename(tmp_path / "ula.py") if arguments[0] == "ula.py" else written(tmp_path, "ula")
    (tmp_path / "loop.py").symlink_to("loop.py")
    monkeypatch.setattr(sys, "argv", ["scorebench", "check", *arguments])
    monkeypatch.setattr("os.environ", dict(os.environ))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    assert ended.value.code == 2 and said in shown.err and len(shown.err.splitlines()) == 1 and shown.out == ""


def test_a_method_of_the_package_is_checked_where_it_stands() -> None:
    found = list(checking.check([ROOT / "samplers/ula.py"], "", 0, checking.here))
    assert all(finding.passed for finding in found) and {finding.spec for finding in found} == {"ula"} and len(found) > 10


def test_a_target_of_a_file_has_no_example_without_one(tmp_path: Path) -> None:
    """What it needs is no spec that its EXAMPLES could name; of any other method no EXAMPLES is a failed check."""
    found = list(checking.check([ROOT / "targets/table.py"], "", 0, checking.here))
    assert len(found) == 2 and all(finding.passed for finding in found)
    (reason,) = failures(written(tmp_path, "ula", ("EXACT = False", "EXACT = False\nEXAMPLES = ()")))
    assert "EXAMPLES is empty" in reason


IN_SPACE = """'''Two modes in R^{dim}, of unequal weights.'''
from dataclasses import replace

import torch

from scorebench.targets.base import Target, untempered
from scorebench.targets.lib.mixture import mixture, normal

LABEL = "two modes in space"
REFERENCE = "none"


def mine() -> Target:
    means = torch.zeros(2, {dim})
    means[:, 0] = torch.tensor([3.0, -3.0])
    both = [mixture(torch.tensor(w), means, torch.ones(2, {dim}), normal({dim}, 9.0), modes=False) for w in ({density}, {drawn})]
    target = replace(both[0], sample=both[1].sample, truths={{}}, tempered=lambda t: untempered(t, target))
    return target
"""


@pytest.mark.parametrize(
    ("dim", "drawn", "said"),
    [
        (3, (0.8, 0.2), "Balls have the share of the draws"),
        (3, (0.2, 0.8), "(are the weights of the modes those of the density?)"),
        (3, (0.75, 0.25), "(are the weights of the modes those of the density?)"),
        (30, (0.2, 0.8), "by Stein's identity alone, which does not see the weights of modes"),
    ],
)
def test_weights_of_modes_are_seen_in_space_or_it_says_that_they_are_not(
    dim: int, drawn: tuple[float, float], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where draws have not the weights of the density, which Stein's identity does not see. False alarms: 1e-5."""
    path = tmp_path / "mine.py"
    path.write_text(IN_SPACE.format(dim=dim, density=(0.8, 0.2), drawn=drawn))
    monkeypatch.setattr(contract, "contract", lambda kind: (targets.declares_its_members, targets.draws_the_mass_of_its_density))
    last = list(checking.check([path], "", 0, checking.here))[-1]
    assert last.passed == (drawn == (0.8, 0.2) or dim == 30) and said in str(last)


@pytest.mark.parametrize(
    ("source", "before", "after", "said"),
    [
        (
            "metric",
            "return Estimate(value",
            "return float(value.mean()), Estimate(value",
            "it returns a tuple; an Estimate(value, standard_error)",
        ),
        (
            "metric",
            "return Estimate(value",
            "return value\n    return Estimate(value",
            "it returns a Tensor; an Estimate(value, standard_error)",
        ),
        ("metric", "return Estimate(value", "return Estimate(value * torch.nan", "its value is nan in 6 of 6 cells; a number was expected"),
        ("ula", STEP, STEP.removesuffix(", Info()"), "step returns a State; a new state and an Info"),
        ("ula", STEP, "return None", "step returns None; a new state and an Info"),
    ],
)
def test_what_a_method_returns_is_told_once(source: str, before: str, after: str, said: str, tmp_path: Path) -> None:
    """By the first check: the others would say of it what they ask for."""
    (reason,) = failures(written(tmp_path, source, (before, after)))
    assert said in reason


def test_a_logarithm_of_what_is_below_zero_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "contract", lambda kind: (metrics.is_positive,))
    (reason,) = failures(written(tmp_path, "metric", ("LOG = False", "LOG = True")))
    assert "LOG = True, and of exact draws its value is -" in reason


def test_a_class_that_is_not_called_like_its_file_is_named(tmp_path: Path) -> None:
    (reason,) = failures(written(tmp_path, "ula", ("class Mine", "class Mime")))
    assert "did you mean 'Mime'? (wanted: class Mine or def mine; defined: State, Mime, theory, recursion)" in reason


def test_a_line_is_folded_at_the_terminal_and_a_reason_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe it is one line."""
    first = checking.Finding("mine.py", "loss", "mine", "It is finite", False, "it raises ValueError: " + "no luck " * 20)
    second = checking.Finding("mine.py", "loss", "mine", "It is a function", False, first.reason)
    checking.show(first, [])
    assert capsys.readouterr().out == f"{first}".rstrip() + "\n"
    monkeypatch.setattr(checking, "console_for", lambda: rich.console.Console(width=80))
    checking.show(first, [])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 80 and lines[1].startswith("        luck no")
    checking.show(second, [first])
    assert capsys.readouterr().out == "FAILED  mine: It is a function: as above\n"


def test_another_seed_is_another_repeat(tmp_path: Path) -> None:
    with_seed = {}
    for seed in (0, 1):
        examples.SEED.set(seed)
        with_seed[seed] = torch.randn(3, generator=examples.stream("x"))
    examples.SEED.set(0)
    assert not torch.equal(with_seed[0], with_seed[1])


@pytest.mark.parametrize("kind", registry.FOLDERS)
def test_new_writes_a_method(kind: str, tmp_path: Path) -> None:
    """Of that kind, under that name, and nothing of the example's name is left in its code."""
    path = writing.new(kind, "my_own", tmp_path)
    assert path == tmp_path / "my_own.py" and plugins.kind_of(path) == kind
    registry.add(path)
    entry = registry.entry(kind, plugins.name_of(kind, path))
    assert entry.error is None and entry.facts["LABEL"] == "my own"
    assert {spec.name for spec in examples.of_file(kind, entry.name)} == {entry.name}
    if kind not in ("claim", "figure"):
        assert registry.method(kind, "my_own").__name__ in ("my_own", "MyOwn")


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("samplr", "mine", "kind 'samplr' is unknown; did you mean 'sampler'?"),
        (
            "sampler",
            "1st",
            "name '1st' is not allowed (allowed: a Python identifier of 64 letters at most, a-z, A-Z, 0-9 and _, for example my_sampler)",
        ),
        ("sampler", "my-own", "name 'my-own' is not allowed"),
        ("sampler", "class", "name 'class' is not allowed"),
        ("sampler", "ula", "there is a sampler 'ula' already"),
        ("claim", "force_sign", "there is a claim 'force-sign' already"),
        ("loss", "draws", "name 'draws' is one that the file itself uses"),
        ("sampler", "taken", "there is such a file already (nothing is overwritten)"),
    ],
)
def test_new_refuses_in_a_line(kind: str, name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "taken.py").write_text("")
    with pytest.raises(InputError) as caught:
        writing.new(kind, name, tmp_path)
    assert len(caught.value.lines) == 1 and said in caught.value.lines[0]
    assert [file.name for file in tmp_path.iterdir()] == ["taken.py"] and not (tmp_path / "taken.py").read_text()
    with pytest.raises(InputError, match="there is no such folder"):
        writing.new("sampler", "mine", tmp_path / "none")


@pytest.mark.parametrize(("before", "after"), [(math.nan, 0.0), (math.inf, torch.finfo(torch.float32).max), (1.0, 2.0)])
def test_what_is_changed_in_place_is_seen_whatever_it_was(before, after):
    """A number that is none, too, which may stay as it is."""
    x = torch.tensor([before, 1.0])
    with unchanged("nothing", x=x):
        pass
    with pytest.raises(AssertionError, match="changes x in place"), unchanged("a step", x=x):
        x[0] = after
