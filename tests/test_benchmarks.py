"""The benchmark's own promises: who computes something else is not timed, intervals cover what they say, and numbers planted come out.

Nothing here is compiled, and no other library is asked: the steps by hand run as they are written, so that they are held to the references, too.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from benchmarks import figures, scaling, table, training
from benchmarks.contest import Work, compete, median_interval
from benchmarks.contestants import by_hand, with_scorebench
from benchmarks.law import hand_score, mlp_energy, ring, weights
from benchmarks.main import keep, reference
from benchmarks.sampling import Chains, baoab, differs, mala, ula
from benchmarks.works import many_seeds, ula_ring
from scorebench.engine.device import prepare

C, CHAINS, STEPS = 0.05, 400, 20
ROOT = Path(__file__).parents[1]
LIBRARIES = ("torchebm", "ebm", "jax", "blackjax", "optax")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler, and no other library."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    for name in LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)


def start(*shape: int) -> torch.Tensor:
    return 3 * torch.randn(*shape, 2, generator=torch.Generator().manual_seed(0))


LAW, MODULE = ring()
SCHEMES = {"ula": ula, "mala": mala, "underdamped": baoab}


def by_hand_at(name: str, c: float, sign: float = 1.0) -> Chains:
    if name == "mala":
        return by_hand.mala(lambda x: (sign * MODULE.unrolled(x)[0], MODULE.unrolled(x)[1]), c)
    return {"ula": by_hand.ula, "underdamped": by_hand.baoab}[name](lambda x: sign * MODULE.broadcast(x)[0], c, columns=True)


def said(name: str, chains: Chains) -> str:
    return differs(chains, lambda x, draws: SCHEMES[name](LAW, x, C, draws), start(CHAINS), STEPS)


@pytest.mark.parametrize("name", SCHEMES)
def test_samplers_agree_and_mutants_are_refused(name: str) -> None:
    """A step size .2 % off, the score's sign, noise that is another's: each is another sampler."""
    ours, hand = with_scorebench.sampler(name, LAW, [C], alike=1), by_hand_at(name, C)
    assert said(name, ours) == said(name, hand) == ""
    assert "end elsewhere" in said(name, by_hand_at(name, 1.002 * C))
    assert "end elsewhere" in said(name, by_hand_at(name, C, sign=-1))
    assert "end elsewhere" in said(name, Chains(lambda x, steps, seed: hand.run(x, steps, seed + 1), hand.draws))
    assert "end elsewhere" in said(name, Chains(lambda x, steps, seed: hand.run(x, steps - 1, seed), hand.draws))


def test_the_grid_and_the_network_agree() -> None:
    """Cells have a step size each and share their noise; the network's energy is the same with the score written out."""
    sizes = torch.tensor([0.01, 0.05])
    one = start(3, CHAINS)  # (seed, chain, 2)
    both = one.expand(2, -1, -1, -1).contiguous()
    rows = sizes.repeat_interleave(3 * CHAINS)

    def reference(x: torch.Tensor, draws: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        return ula(LAW, x, rows[:, None].double(), draws)

    contestant = with_scorebench.sampler("ula", LAW, sizes.tolist(), alike=1)
    assert differs(contestant, reference, both, STEPS) == ""
    assert differs(by_hand.ula(lambda x: MODULE.unrolled(x)[0], rows[None], columns=True), reference, both, STEPS) == ""
    assert differs(with_scorebench.sampler("ula", LAW, [0.05, 0.01], alike=1), reference, both, STEPS) != ""

    law = mlp_energy("mlp_energy:width=8")
    for chains in (with_scorebench.sampler("ula", law, [C], alike=1), by_hand.ula(lambda x: hand_score(weights(law.energy), x), C)):
        assert differs(chains, lambda x, draws: ula(law, x, C, draws), start(CHAINS), STEPS) == ""


SPEC, BATCH = "mlp_energy:width=8", 32


def trains(name: str, contestant: training.Training) -> str:
    return training.differs(name, SPEC, contestant, STEPS)


@pytest.mark.parametrize("name", training.LOSSES)
def test_trainings_agree_and_mutants_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another loss, a learning rate 1 % off, another seed's numbers."""
    assert (
        trains(name, with_scorebench.training(name, SPEC, BATCH, compiles=False)) == trains(name, by_hand.training(name, SPEC, BATCH)) == ""
    )
    hand = by_hand.training(name, SPEC, BATCH)
    assert "away from the reference" in trains(name, hand._replace(train=lambda steps, seed: hand.train(steps, seed + 1)))
    other = "denoising" if name == "exact" else "exact"
    assert "away from the reference" in trains(name, by_hand.training(other, SPEC, BATCH))
    monkeypatch.setattr(with_scorebench, "RATE", 1.01 * training.RATE)
    assert "away from the reference" in trains(name, with_scorebench.training(name, SPEC, BATCH, compiles=False))


def test_a_seed_in_company_is_checked() -> None:
    """Were the first seed of the stack another's, that would be said."""
    work = many_seeds.works(seeds=2, steps=5, compiles=False)[1]
    stack = work.contestants["scorebench"]()
    assert work.differs(stack) == ""
    swapped = stack._replace(fit=lambda seeds: stack.fit(seeds[::-1]))
    assert "away from its own" in work.differs(swapped)


def contest(measures: dict[str, float]) -> tuple[Work, list[str], list[str]]:
    """Contestants, two of whom are timed, that take so many times what the machine takes, which is slower from round to round."""
    order: list[str] = []
    precisions: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        precisions.append(torch.get_float32_matmul_precision())
        return measures[name] * (1 + len(order[:-1]) // 2)

    work = Work("planted", "planted", "s", {n: lambda n=n: n for n in measures}, lambda n: "" if measures[n] > 0 else "nonsense", measure)
    return work, order, precisions


def test_rounds_alternate_and_ratios_are_of_a_round() -> None:
    """The machine is eight times slower at the end; ratios within a round do not see it."""
    work, order, _ = contest({"scorebench": 1.0, "peer": 2.0, "wrong": -1.0})
    work.contestants["broken"] = lambda: 1 / 0  # type: ignore[index]
    rows = compete(work, 7, tell=lambda _: None).set_index("contestant")
    assert rows.loc["broken", "status"] == "failed: ZeroDivisionError: division by zero"
    assert order == ["scorebench", "peer"] * 8
    assert rows.loc["wrong", "status"] == "refused: nonsense" and np.isnan(rows.loc["wrong", "median"])
    assert rows.loc["scorebench", "high"] > 1.3 * rows.loc["scorebench", "low"]
    assert rows.loc["peer", ["ratio", "ratio_low", "ratio_high"]].tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="6 rounds or more, not 5"):
        compete(work, 5)


def test_others_multiply_as_they_come() -> None:
    """Torch's default for another library, unless its name says otherwise; what was set for scorebench is there again afterwards."""
    work, order, precisions = contest({"scorebench": 1.0, "torchebm": 1.0, "torchebm, same products": 1.0, "by hand": 1.0})
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        compete(work, 6, tell=lambda _: None)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert {name for name, p in zip(order, precisions, strict=True) if p == "highest"} == {"torchebm"}
    assert set(precisions) == {"highest", "medium"}


@pytest.mark.parametrize("n", range(6, 40))
def test_intervals_of_the_median(n: int) -> None:
    """Between the k-th smallest and the k-th largest lies the median with probability 1 - 2 P(Bin(n, 1/2) < k), by scipy; one k more would be too few."""
    median, low, high = median_interval(np.arange(n, 0.0, -1))
    k = round(low)
    assert median == (n + 1) / 2 and low + high == n + 1

    def covers(k: int) -> float:
        return 1 - 2 * stats.binom.cdf(k - 1, n, 0.5)

    assert covers(k) >= 0.95 > covers(k + 1)


def test_too_few_for_an_interval() -> None:
    with pytest.raises(ValueError, match="5 values are too few"):
        median_interval(np.arange(5.0))


def test_planted_slopes() -> None:
    """T = a + b n has its fixed cost at n = a/b; t = n^1.5 its slope."""
    sizes = np.array([10.0, 100, 1_000, 10_000])
    law = scaling.fitted_slope(sizes, np.outer(5 + 0.01 * sizes, np.linspace(1, 2, 6)))
    assert law["doubling"] == pytest.approx(500 / 1, rel=0.01)
    law = scaling.fitted_slope(sizes, np.outer(sizes**1.5, np.linspace(1, 2, 6)))
    assert [law[key] for key in ("slope", "slope_low", "slope_high")] == pytest.approx([1.5] * 3)
    assert (law["first"], law["last"]) == (100, 10_000)


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: the peak of memory is read from Linux")
def test_memory_is_what_is_allocated() -> None:
    """64 MB more, though the allocator keeps as much of a run before."""

    def measure() -> float:
        prepare("cpu")  # in the process that is measured: memory is kept
        return float(torch.ones(2**24).sum())

    assert scaling.peak_megabytes(measure) == pytest.approx(64, abs=3)


def test_what_grows_is_measured() -> None:
    """The ways to measure that the axes are made of, at small sizes; cells are as many as asked for."""
    assert scaling.sampled(LAW.density, 2, 3, 8, 5)() > 0
    assert scaling.trained(3, "implicit", 2, 2, batch=8, width=4)() > 0
    names = [axis.name for axis in scaling.axes()]
    assert names == ["chains", "cells", "dimension_sampling", "dimension_training", "seeds"]


def test_sizes_take_turns_and_are_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A time of n^2 has slope 2 in the table that is written, whoever else is drawn beside it."""
    order: list[int] = []

    def takes(n: int) -> float:
        order.append(n)
        return 1e-3 * n**2

    axis = scaling.Axis("planted", "n", "s", {"square": {n: lambda n=n: takes(n) for n in (10, 20, 40)}}, slope=2.0, why="so")
    monkeypatch.setattr(scaling, "axes", lambda: [axis])
    monkeypatch.setattr(scaling, "on_cores", lambda cores: [])
    rows, slopes = scaling.run([0], tell=lambda _: None)
    assert order[-18:] == [10, 20, 40] * 6
    assert rows["median"].tolist() == pytest.approx([0.1, 0.4, 1.6]) and slopes["slope"].tolist() == pytest.approx([2.0])
    for name, frame in {"scaling": rows, "slopes": slopes}.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    figures.draw(tmp_path)
    assert (tmp_path / "figures" / "scaling_planted.png").exists()
    assert "2.00 [2.00, 2.00] from 10 to 40" in table.readme(tmp_path)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="NOT RUN: the system does not place processes")
def test_a_process_a_core() -> None:
    (axis,) = scaling.on_cores(sorted(os.sched_getaffinity(0)))
    (counts,) = axis.series.values()
    assert max(counts) == len(os.sched_getaffinity(0)) and all(measure() > 0 for measure in counts.values())


def test_the_smallest_work_from_end_to_end_without_other_libraries(tmp_path: Path) -> None:
    """Rows say who is not installed; table and figures are drawn."""
    rows = compete(ula_ring.work(chains=64, steps=5), 6, tell=lambda _: None)
    status = rows.set_index("contestant")["status"]
    assert status["torchebm, autograd"] == "not installed: torchebm" and status["JAX"] == "not installed: jax"
    timed = rows[rows["status"] == "ok"]
    assert set(timed["contestant"]) == {"scorebench", "scorebench, not compiled", "by hand, plain", "by hand, unrolled"}
    assert (timed["median"] > 0).all() and (timed["ratio_low"] <= timed["ratio"]).all() and (timed["ratio"] <= timed["ratio_high"]).all()
    rows.assign(versions="versions", cpu="cpu").to_csv(tmp_path / "speed.csv", index=False)
    figures.draw(tmp_path)
    assert (tmp_path / "figures" / "speed.png").exists()
    assert "not installed: torchebm" in table.summary(rows)


def test_a_work_that_is_measured_again_replaces_its_rows(tmp_path: Path) -> None:
    """And no other; they stand in the table's order."""
    path = tmp_path / "speed.csv"
    for work, median in (("b", 1.0), ("a", 2.0), ("b", 3.0)):
        keep(pd.DataFrame({"work": work, "contestant": ["x", "y"], "median": median}), path, ["a", "b"])
    frame = pd.read_csv(path)
    assert frame["work"].tolist() == ["a", "a", "b", "b"] and frame["contestant"].tolist() == ["x", "y"] * 2
    assert frame["median"].tolist() == [2, 2, 3, 3]


def test_the_table_shows_who_wins(tmp_path: Path) -> None:
    """The fastest library in bold, the floor never; who is faster beyond the interval is named."""
    rows = pd.DataFrame(
        [
            ("scorebench", "ok", 2.0, 1.0, 1.0, 1.0),
            ("torchebm, autograd", "ok", 6.0, 3.0, 2.5, 3.5),
            ("ebmkit", "refused: it differs", np.nan, np.nan, np.nan, np.nan),
            ("JAX", "ok", 1.0, 0.5, 0.4, 0.6),
            ("by hand, plain", "ok", 0.5, 0.25, 0.2, 1.1),
        ],
        columns=["contestant", "status", "median", "ratio", "ratio_low", "ratio_high"],
    ).assign(work="w", label="a work", unit="s", wanted="less", rounds=9, cpu="cpu", device="cpu", versions="v", load=3.0, cores=2)
    starts = pd.DataFrame({"work": "w", "contestant": "JAX", "cache": ["cold", "warm"], "seconds": [3.0, 1.0]})
    slopes = pd.DataFrame(
        [{"label": "n", "series": "s", "slope": 1.0, "slope_low": 0.9, "slope_high": 1.1, "first": 1, "last": 9, "ideal": 1.0}]
    )
    for name, frame in {"speed": rows, "slopes": slopes.assign(doubling=5.0, why="so"), "starts": starts}.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    text = table.readme(tmp_path)
    assert "**1 (0.50 [0.40, 0.60])**" in text and text.count("**") == 2
    assert "refused: it differs" in text and "JAX at w (0.50)" in text and "by hand, plain at w" not in text
    assert "JAX at w 3.0 and 1.0" in text and "1.00 [0.90, 1.10] from 1 to 9" in text


def test_another_device_stands_under_the_cpu(tmp_path: Path) -> None:
    """A later run of the CPU takes the place of its own part alone."""
    rows = pd.DataFrame({"contestant": ["scorebench"], "status": "ok", "median": 2.0, "ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0})
    rows = rows.assign(
        work="w", label="a work", unit="s", wanted="", rounds=9, cpu="a processor", device="cpu", versions="v", load=3.0, cores=2
    )
    run, committed, readme = tmp_path / "bench", tmp_path / "committed", tmp_path / "README.md"
    readme.write_text("<!-- run: bench -->\n<!-- end -->\n", encoding="utf-8")
    for folder, its in ((run, rows), (committed / "cuda", rows.assign(median=7.0, device="cuda (a GPU)"))):
        folder.mkdir(parents=True)
        its.to_csv(folder / "speed.csv", index=False)
    reference(run, committed, readme)
    text = readme.read_text(encoding="utf-8")
    assert (
        "| a work, s | 2 |" in text and "| a work, s | 7 |" in text and "On cuda (a GPU) and one core of a processor, while 3 other" in text
    )
    assert text.index("| 2 |") < text.index("On another machine (cuda)") < text.index("| 7 |")


def test_the_readme_is_of_the_committed_run() -> None:
    """No number in it is typed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("<!-- run: bench -->\n")[2].partition("\n<!-- end -->")[0]
    assert part == table.readme(ROOT / "results" / "reference" / "bench") and "scorebench" in part
