"""Planted samplers through the engine: laws that are off by as much as is said, as many gradients as are said, a failure, a divergence, steps beyond the grid.

The samplers are files from elsewhere. `hot` draws from p^(1/heat), `lopsided` from two modes with another weight; `paced` is an autoregression with the law of
a standard Gaussian, which forgets by exp(-c) a step and spends as many gradients as is asked; `broken` raises after some steps.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from scorebench.core import plugins, registry
from scorebench.core.jackknife import standard_error
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.spec import parse
from scorebench.engine import gap, gaussian
from scorebench.engine.arrival import Arrival
from scorebench.engine.bench import Bench, Cell
from scorebench.engine.finals import _chosen_again, _rival, _unclear
from scorebench.engine.search import _beside, search
from scorebench.engine.target import built
from scorebench.engine.work import lost_rows, method
from scorebench.report.work import work
from scorebench.suite.config import Accuracy
from scorebench.suite.jobs import Begin, Work

ALPHA = 1e-3
PLANTED = '''"""Planted."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scorebench.core.options import Count, Positive, Share
from scorebench.samplers.base import Info
from scorebench.targets.gaussian_mixture import gaussian_mixture

LABEL = "planted"
REFERENCE = "none"
NEEDS = {"source.WANTS"}
GRADIENTS = SPENT
EXACT = True


class State(NamedTuple):
    x: Tensor


@dataclass(frozen=True, eq=False)
class NAME:
    step_size: Tensor
    temperature: Tensor
    OPTION

    def init(self, x, density):
        return State(x)

'''
INDEPENDENT = """
    def draws(self, density, shape, generator):
        return LAW.sample(shape[0], generator)

    def step(self, state, density, draws):
        return State(draws[:, None].expand_as(state.x)), Info()
"""
CHAIN = """
    def draws(self, density, shape, generator):
        return torch.randn(shape, generator=generator)

    def step(self, state, density, draws):
        for _ in range(self.spends):
            density.score(state.x)
        keeps = (-self.step_size[..., None]).exp()
        return State(keeps * state.x + (1 - keeps**2).sqrt() * draws[:, None]), Info()
"""

MANY = 1_000
"""Chains of a pilot are fewer, those of its ladder and of a final run more."""
KEPT = "return State(keeps * state.x + (1 - keeps**2).sqrt() * draws[:, None])"
FOOLS = CHAIN.replace(
    KEPT,
    f"wide = 1.2**0.5 if self.spends < 4 and state.x.shape[-2] > {MANY} else 1.0\n"
    "        return State(keeps * state.x + wide * (1 - keeps**2).sqrt() * draws[:, None])",
)
BREAKS = CHAIN.replace(
    KEPT,
    "x = keeps * state.x + (1 - keeps**2).sqrt() * draws[:, None]\n"
    f"        lost = (self.step_size[..., None] > 2) & (torch.arange(x.shape[-2])[:, None] == 4 * {MANY})\n"
    "        return State(x.masked_fill(lost, torch.inf))",
)

DAWDLES = CHAIN.replace(
    "keeps = (-self.step_size[..., None]).exp()",
    f"keeps = (-self.step_size[..., None] / (2.2 if state.x.shape[-2] > 4 * {MANY} else 1.0)).exp()",
).replace(
    KEPT,
    "wide = torch.where(self.step_size[..., None] > 0.2, 2.0, 1.0)\n"
    "        return State(keeps * state.x + wide * (1 - keeps**2).sqrt() * draws[:, None])",
)


def file(name: str, option: str, does: str, wants: str, spent: str) -> str:
    """A sampler's file: its class, its one option, and what it does."""
    head = PLANTED.replace("NAME", name).replace("OPTION", option).replace("WANTS", wants).replace("SPENT", spent)
    return head + does


FILES = {
    "hot": file("Hot", "heat: Positive = 1.0", INDEPENDENT.replace("LAW", "density.tempered(self.heat)"), "tempered", "0"),
    "lopsided": file(
        "Lopsided", "weight: Share = 0.5", INDEPENDENT.replace("LAW", "gaussian_mixture(weight=self.weight)"), "tempered", "0"
    ),
    "paced": file("Paced", "spends: Count = 1", CHAIN, "score", "'spends'"),
    "fools": file("Fools", "spends: Count = 1", FOOLS, "score", "'spends'"),
    "dawdles": file("Dawdles", "spends: Count = 1", DAWDLES, "score", "'spends'"),
    "breaks": file("Breaks", "spends: Count = 1", BREAKS, "score", "'spends'"),
    "broken": file(
        "Broken", "spends: Count = 1", CHAIN.replace("density.score(state.x)", "raise ValueError('it broke')"), "score", "'spends'"
    ),
}
TWO_MODES = "gaussian_mixture:weight=0.8"


@pytest.fixture(scope="module", autouse=True)
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("planted")
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
        registry.add(Path(folder / f"{name}.py"))
    yield
    for name in FILES:
        plugins.files.pop(name)
    for function in (registry.entry, plugins.kind_of):
        function.cache_clear()


def bench(target: str, master: int = 1, pilot: int = 640, final: int = 5_120) -> Bench:
    spec = parse("target", target)
    return Bench(built(spec), spec, master, Accuracy(pilot=pilot, final=final), time.monotonic() + 600)


def draws(bench: Bench, sampler: str, master: int, chains: int = 10_240) -> Cell:
    """A cell of a sampler without steps, by random numbers of its own."""
    bench.master = master
    (cell,) = bench.cells(parse("sampler", sampler), [None], 500, chains, "final")
    return cell


def job(target: str, sampler: str, steps: tuple[float, ...], budget: int = 400) -> Work:
    spec = parse("sampler", sampler)
    return Work(parse("target", target), spec, (Begin(spec, steps, budget),))


@pytest.mark.parametrize(
    ("target", "right", "wrong"),
    [("gaussian", "hot:heat=1", "hot:heat=1.05"), (TWO_MODES, "lopsided:weight=0.8", "lopsided:weight=0.77")],
)
def test_draws_that_are_off_have_a_plateau(target: str, right: str, wrong: str) -> None:
    """A variance 5 % too wide, or weights .03 off, at 10,240 draws: 20 times, found by one summary's plateau in 85 %, and the right law in 5 % at most.

    Beyond that by chance once in 1,000; a share of finds of 45 %, or of alarms of 40 %, is seen in 9 of 10 (`test_arrival` has more repeats of the first).
    """
    on, repeats = bench(target), 20
    seen = [sum(any(a.plateau_low > 0 for a in draws(on, sampler, k).arrivals) for k in range(repeats)) for sampler in (right, wrong)]
    assert seen[0] <= repeats - stats.binom.ppf(ALPHA, repeats, 0.95)
    assert seen[1] >= stats.binom.ppf(ALPHA, repeats, 0.85)


def of_gaussian(heat: float) -> tuple[float, float]:
    """N(0, T I) in two dimensions: b^2 is (T - 1)^2/2 of each x^2 and (T - 1)^2 of log p."""
    return (heat - 1) ** 2, 0.4 * (heat - 1) ** 2


def by_quadrature(on: Bench, heat: float) -> tuple[float, float]:
    """Largest and mean b^2 of p^(1/T), all moments by the trapezoidal rule on a square of 9 to each side."""
    axis = torch.linspace(-9, 9, 1_201, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    log_p, f = on.target.log_prob(x), on.panel.values(x)
    p, q = ((log_p / t).softmax(0)[:, None] for t in (1.0, heat))
    mean = (p * f).sum(0)
    b = ((q * f).sum(0) - mean).square() / ((p * f.square()).sum(0) - mean.square())
    return float(b.max()), float(b.mean())


@pytest.mark.parametrize("target", ["gaussian", TWO_MODES])
@pytest.mark.parametrize("heat", [1.2, 2.0])
def test_another_temperature_has_its_plateau(target: str, heat: float) -> None:
    """As in closed form, or by quadrature, within 4 standard errors, z of 8 comparisons at 5e-4; 2 % for the panel's own moments and its variance.

    Errors of 10 to 20 % of b^2 are seen at 1.2, of 3 to 5 % at 2.
    """
    on = bench(target)
    cell = draws(on, f"hot:heat={heat}", 3)
    expected = of_gaussian(heat) if target == "gaussian" else by_quadrature(on, heat)
    for curve, found, true in zip(cell.curve, cell.arrivals, expected, strict=True):
        error = float(standard_error(curve[1:, 0]))
        assert abs(found.plateau - true) < 4 * error + 0.02 * true, (found.plateau, true, error)
        assert not found.reached and found.plateau_low > 0


@pytest.mark.parametrize("target", ["gaussian", TWO_MODES])
def test_controls(target: str) -> None:
    """Exact draws need no gradients, and the prior never arrives."""
    on = bench(target)
    exact, prior = draws(on, "exact", 4), draws(on, "prior", 4)
    assert all(a.reached and a.gradients == 0 and a.interval == (0, 0) for a in exact.arrivals)
    assert not any(a.reached for a in prior.arrivals) and all(a.plateau_low > 1 for a in prior.arrivals)
    rows = method(job(target, "prior", (1.0,)), on).cells
    assert {row["status"] for row in rows if row["chosen"]} == {Status.NOT_REACHED} and {row["step_size"] for row in rows} == {None}


def test_a_quarter_more_gradients_is_worse_to_the_last_digit() -> None:
    """The same chain that spends 4 or 5 gradients a step: by shared random numbers every work is in that ratio, and so is the interval; 4 is better."""
    on = bench("gaussian")
    methods = [method(job("gaussian", f"paced:spends={n}", (0.1, 0.2), 100 * n), on) for n in (5, 4)]
    table = work({"gaussian": methods}, 1.25)
    chosen = table[table["chosen"] & (table["panel"] == "max")].set_index("sampler")
    slow, quick = chosen.loc["paced:spends=5"], chosen.loc["paced:spends=4"]
    assert (quick["word"], slow["word"]) == ("better", "worse") and slow["step_size"] == quick["step_size"]
    assert slow["gradients"] / quick["gradients"] == pytest.approx(1.25, rel=1e-6)
    other = work({"gaussian": [methods[1], method(job("gaussian", "ula", (0.1,)), on)]}, 1.25)
    other = other[other["chosen"] & (other["panel"] == "max")].set_index("sampler")
    assert other["ratio"].max() == pytest.approx(other["gradients"].max() / other["gradients"].min(), rel=1e-6)
    assert [slow[name] for name in ("ratio", "ratio_low", "ratio_high")] == pytest.approx([1.25] * 3, rel=1e-6)
    unknown = dict.fromkeys(("low", "high", "plateau_low", "plateau_high"))  # as a file has it where no interval can be said
    table = work({"gaussian": [m._replace(cells=[cell | unknown for cell in m.cells]) for m in methods]}, 1.25)
    assert set(table.loc[table["chosen"] & (table["panel"] == "max"), "word"]) == {"undecided"}


def test_the_work_is_that_of_the_exact_curve() -> None:
    """Of the chain that forgets by exp(-c): b^2 of a mean is exp(-2 c k), of x^2 (4/2) exp(-4 c k), from N(-1, 4) with d = 2 largest that of x1 in the end.

    The work is log(100)/(2 c) = 23 steps at c = .1, within 4 of its own errors, of which one is 3 %.
    """
    on = bench("gaussian")
    (cell,) = on.cells(parse("sampler", "paced"), [0.1], 200, 5_120, "final")
    found = cell.arrivals[0]
    for curve, true in zip(cell.curve, (16, 6.8), strict=True):  # b^2 at the start: 1 of each x, 8 of each x^2, 16 of log p
        assert abs(curve[0, 0] - true) < 4 * standard_error(curve[1:, 0]) + 0.02 * true
    assert abs(np.log(found.gradients) - np.log(np.log(100) / 0.2)) < 4 * standard_error(found.logs) and standard_error(found.logs) < 0.12


def test_more_chains_go_into_the_same_blocks() -> None:
    """By numbers of their own, as many again, and from there twice as many: the means at the start are within 4 errors, 4 z (once in 4,000 runs).

    All chains are independent: sums over a block vary as chi-squared says, to 1e-3 of six of them; the same numbers again would double it.
    """
    on = bench("gaussian")
    (once,) = on.cells(parse("sampler", "paced"), [0.1], 100, 2_560, "final")
    twice = on.more(once)
    four = on.more(twice)
    assert (once.chains, twice.chains, four.chains) == (2_560, 5_120, 10_240) and once.sums is not None and four.sums is not None
    assert twice.sums is not None and not np.allclose(twice.sums - once.sums, once.sums) and not np.allclose(four.sums, 2 * twice.sums)
    start = four.sums[0].sum(0) / four.chains  # (2, function): x ~ N(-1, 4), of which x^2 has variance 48
    assert np.abs((start[0, :4] - [-1, -1, 5, 5]) / (np.array([2, 2, 48**0.5, 48**0.5]) / four.chains**0.5)).max() < 4
    for cell in (once, twice, four):  # in the end N(0, 1): of the blocks' sums 39 s^2/n is chi-squared
        assert cell.sums is not None
        of_chance = 39 * cell.sums[-1, :, 0, :2].var(0, ddof=1) / (cell.chains / 40)
        assert (of_chance > stats.chi2(39).ppf(ALPHA / 12)).all() and (of_chance < stats.chi2(39).isf(ALPHA / 12)).all()


def test_what_the_gap_foretells_stands_beside_not_reached() -> None:
    """On two modes, of ULA and of no sampler with more to tune; the number is that of the small step, .02 of it without error (`test_exact_work`)."""
    on = bench(TWO_MODES, pilot=80, final=80)
    rows = [row for row in method(job(TWO_MODES, "ula", (0.1,), 100), on).cells if row["chosen"]]
    start = gaussian.Gaussian(np.full(2, -on.start.shift), np.full(2, on.target.prior.variance / 2))
    foretold = gap.slowest(on.target, start).gradients(rows[0]["step_size"], 0.01)
    assert {row["status"] for row in rows} == {Status.NOT_REACHED}
    (said,) = {row["reason"] for row in rows}
    assert float(said.split("takes ")[1].split(" at")[0].replace(",", "")) == pytest.approx(foretold, rel=0.05) and foretold > 1_000
    other = method(job(TWO_MODES, "underdamped:friction=1", (0.1,), 100), on).cells
    assert {row.get("reason", "") for row in other if row["chosen"]} == {""}


@pytest.mark.parametrize("steps", [(0.1, 0.2), (3.2, 6.4)])
def test_the_grid_goes_on_beyond_its_edge(steps: tuple[float, float]) -> None:
    """The larger the step the faster that chain forgets, until all is forgotten in one: up from .1 and .2, and below the lower of two that both do."""
    found = search(job("gaussian", "paced", steps), bench("gaussian"))
    pilot = [cell for cell in found.cells if cell.chains == 640]
    tried, best = [cell.step_size for cell in pilot if cell.step_size is not None], min(pilot, key=lambda cell: cell.cost)
    assert set(steps) < set(tried) and best.step_size is not None and min(tried) < best.step_size < max(tried)
    assert found.chosen is not None and (found.chosen.phase, found.chosen.chains) == ("final", 5_120)
    assert found.chosen.arrivals[0].reached and found.chosen.arrivals[0].gradients < 1


def test_what_diverges_is_a_row_and_never_the_best() -> None:
    """ULA on N(0, 1) beyond c = 2, next to a step that is stable."""
    found = method(job("gaussian", "ula", (0.1, 5.0)), bench("gaussian"))
    status = {row["step_size"]: row["status"] for row in found.cells if row["phase"] == "pilot" and row["chains"] == 640}
    assert status[5.0] == Status.DIVERGED and status[0.1] == Status.OK
    (chosen,) = [row for row in found.cells if row["chosen"] and row["panel"] == "max"]
    assert chosen["status"] == Status.OK and chosen["step_size"] < 1 and np.isfinite(found.logs["max"]).all()
    assert "gradients" not in next(row for row in found.cells if row["step_size"] == 5.0)


def test_final_runs_that_diverge_are_followed_by_shorter_steps() -> None:
    """Of a sampler one of whose chains is lost above a step of 2 in as many chains as a final run has: nothing shorter is given up, and all are rows."""
    rows = [
        row for row in method(job("gaussian", "breaks", (0.8, 1.6, 3.2)), bench("gaussian", final=10_240)).cells if row["panel"] == "max"
    ]
    (chosen,) = [row for row in rows if row["chosen"]]
    lost = [row["step_size"] for row in rows if row["phase"] == "final" and row["status"] == Status.DIVERGED]
    assert lost and min(lost) > 2 and chosen["status"] == Status.OK and 1 < chosen["step_size"] <= 2


def test_a_final_run_that_is_too_short_is_longer_and_says_nothing_of_the_step() -> None:
    """Of one that forgets 2.2 times more slowly in as many chains as a final run has, whose law is right up to c = .2 and four times too wide above: that is
    chosen, with a work of 2.2 log(100)/(2 c) = 25, within 4 of its own errors.
    """
    found = search(job("gaussian", "dawdles", (0.1, 0.2, 0.4)), bench("gaussian"))
    assert found.chosen is not None and found.chosen.step_size == 0.2 and found.chosen.arrivals[0].told
    logs = found.chosen.arrivals[0].logs
    assert abs(np.log(found.chosen.arrivals[0].gradients) - np.log(2.2 * np.log(100) / 0.4)) < 4 * standard_error(logs) < 0.5


def test_beside_the_best_value_of_an_option_are_others_a_tenth_apart() -> None:
    """Of whole numbers one apart at least."""
    cells = [
        Cell(parse("sampler", f"hmc:leapfrog_steps={n}"), 0.1, "pilot", 640, 400, OK, np.empty(0), np.empty((2, 0, 0))) for n in (3, 40)
    ]
    for at, near in zip(cells, [{2, 4}, {33, 36, 44, 48}], strict=True):
        assert {spec.options["leapfrog_steps"] for spec in _beside(at, cells)} == near


def arrived(gradients: float, chains: int, later: float, reached: bool = True, error: float = 0.0) -> Cell:
    """A final run; `error` is the standard error of its work's logarithm."""
    logs = np.log(gradients) + error / np.sqrt(39) * np.where(np.arange(40) % 2, 1, -1)
    its = Arrival(reached, gradients, logs, (gradients, gradients), 0.005, 0.004, 0.006, (0.0, later))
    return Cell(parse("sampler", "ula"), 0.1, "final", chains, 400, OK, np.array([400.0]), np.zeros((2, 41, 1)), (its, its))


def test_where_the_choice_is_not_clear_what_has_the_fewest_chains_has_more() -> None:
    """Of cells of which each is the best without some block, and of these alone; the chosen one's error is the choice's. What diverged is none of them."""
    best, rival = arrived(20, 20_480, 0.9), arrived(20.1, 10_240, 0.9, error=0.2)
    other, lost = arrived(40, 10_240, 0.9), replace(best, ended=Ended(Status.DIVERGED), arrivals=())
    finals = [lost, other, rival, best]
    assert _unclear(finals, best, 0.01) is rival and _unclear([other, best], best, 0.01) is None
    assert (
        standard_error(_chosen_again(finals, best).arrivals[0].logs)
        > 0.05
        > standard_error(_chosen_again([other, best], best).arrivals[0].logs)
    )
    untold = arrived(20, 20_480, 1.1)
    assert _chosen_again([lost, untold], untold).arrivals[0].gradients == 20 and _unclear([lost, untold], untold, 0.01) is untold


def test_what_seems_cheaper_than_the_best_has_more_chains() -> None:
    """Of those that arrive with less work and are not told to stay: the cheapest that has fewer chains than are asked for, or than the best has."""
    best, dearer = arrived(20, 20_480, 0.9), arrived(22, 10_240, 1.1)
    others = [arrived(16, 40_960, 1.1), arrived(17, 10_240, 1.1), arrived(18, 10_240, 1.1), arrived(15, 10_240, 1.1, reached=False)]
    assert _rival([best, dearer, *others], best, 40_960) is others[1]
    assert _rival([best, dearer, others[0]], best, 40_960) is None and _rival([best, dearer], best, 40_960) is None
    assert _rival([arrived(16, 20_480, 1.1), replace(best, chains=81_920)], replace(best, chains=81_920), 10_240) is not None
    assert _rival([dearer, *others], dearer, 40_960) is None  # nothing is told: what to do then is another question


def test_what_only_few_chains_take_for_arrived_is_not_the_end_of_the_search() -> None:
    """Of one that costs 1, 2 or 4 gradients a step, whose variance is 20 % too wide (b^2 = .04 of log p) below 4, which no pilot shows: 4 is found."""
    begins = tuple(Begin(parse("sampler", f"fools:spends={spends}"), (0.4, 0.8), 400) for spends in (1, 2, 4))
    found = search(Work(parse("target", "gaussian"), parse("sampler", "fools"), begins), bench("gaussian"))
    cheapest = min((cell for cell in found.cells if cell.chains == 640), key=lambda cell: cell.cost)
    assert cheapest.sampler.options["spends"] == 1 and cheapest.arrivals[0].reached
    assert found.chosen is not None and found.chosen.sampler.options["spends"] == 4 and found.chosen.arrivals[0].told


def test_what_fails_is_a_row_for_every_cell() -> None:
    """With the reason; none is chosen, and beside others it has no word."""
    on = bench("gaussian")
    failed = method(job("gaussian", "broken", (0.1, 0.2)), on)
    assert {row["step_size"] for row in failed.cells} == {0.1, 0.2} and len(failed.cells) == 4
    assert all(row["status"] == Status.FAILED and "it broke" in row["reason"] and not row["chosen"] for row in failed.cells)
    assert failed.logs == {} and failed.curves == {} and failed.equilibrium == []
    table = work({"gaussian": [failed, method(job("gaussian", "paced", (0.5,)), on)]}, 1.25)
    assert (table.loc[table["sampler"] == "broken", "word"].fillna("") == "").all()
    lost = lost_rows(job("gaussian", "paced", (0.1, 0.2)), on.accuracy, Ended(Status.TIMEOUT))
    assert len(lost.cells) == 4 and {row["status"] for row in lost.cells} == {Status.TIMEOUT}


def test_a_snapshot_leaves_the_sums_of_its_blocks() -> None:
    """Of f, of f^2 and of what is far off, block by block in the order of the chains; one that is not finite is too many of these, and 0 else."""
    on = bench("gaussian")
    x = torch.randn(1, 1, 80, 2, generator=torch.Generator().manual_seed(5))
    x[0, 0, 3], x[0, 0, 79] = torch.inf, 1e4
    f = on.panel.values(x[0, 0])
    f[3] = 0.0
    f = f.view(40, 2, -1)
    sums = on._observe(2, x)[0, 0]
    assert torch.equal(sums[:, :-1], torch.cat([f.sum(1), f.square().sum(1)], -1))
    assert sums[:, -1].nonzero().flatten().tolist() == [1, 39] and sums[[1, 39], -1].tolist() == [torch.inf, 1]
