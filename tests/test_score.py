"""Draws of another program: what is compared with what, faults that are seen, and how often exact draws are said to have one."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from forked_python import python
from scipy import stats

from scorebench.commands.compare import metrics_about
from scorebench.commands.score import ALPHA, score
from scorebench.core import rng
from scorebench.core.errors import InputError
from scorebench.core.spec import parse
from scorebench.engine import floors
from scorebench.engine.metric import Metric
from scorebench.metrics.lib.faults import FAULTS
from scorebench.testing.examples import stream

MIXTURE = parse("target", "gaussian_mixture")
CHEAP = [parse("metric", name) for name in ("mean_error", "second_moment_bias", "mode_weight_error", "mmd", "c2st")]


def scored(path: Path, rows: np.ndarray, metrics=CHEAP, target=MIXTURE) -> dict[str, dict]:
    np.save(path, rows)
    return {entry["metric"]: entry for entry in score(path, target, metrics, 1.0, 5_000)[1]}


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet"])
def test_formats_are_alike(ending, tmp_path):
    """The same numbers whatever the format. Exact."""
    rows = MIXTURE.build().sample(200, stream("rows")).double().numpy()
    frame = pd.DataFrame(rows, columns=["x", "y"])
    {"npy": lambda p: np.save(p, rows), "csv": lambda p: frame.to_csv(p, index=False), "parquet": frame.to_parquet}[ending](
        tmp_path / f"a.{ending}"
    )
    told, entries = score(tmp_path / f"a.{ending}", MIXTURE, CHEAP, 1.0, 5_000)
    assert told == [f"a.{ending}: 200 draws, taken as independent"]
    assert {e["metric"]: e["value"] for e in entries} == {k: e["value"] for k, e in scored(tmp_path / "b.npy", rows).items()}


def test_values_are_the_metrics(tmp_path):
    """Of a single set the error of the mean is what it is; of several sets of 512 the value is the mean of theirs. Exact, to rounding."""
    target, rows = MIXTURE.build(), MIXTURE.build().sample(1_100, stream("values"))
    entries = scored(tmp_path / "a.npy", rows.numpy())
    expected = (rows.double().mean(0) - target.mean).norm() / target.variance**0.5
    assert entries["mean_error"]["value"] == pytest.approx(float(expected), rel=1e-5)
    assert (entries["mean_error"]["sets"], entries["mean_error"]["draws"]) == (1, 1_100)
    assert (entries["mmd"]["sets"], entries["mmd"]["draws"]) == (2, 512) and entries["c2st"]["sets"] == 4


def test_p_is_the_share_of_the_floor_with_holms_correction(tmp_path):
    """Of one metric by its definition from the floor's own values; of three the least is three times as large. Exact."""
    law, metric = MIXTURE.build(), CHEAP[0]
    rows = law.sample(150, stream("p"))
    floor = floors.values(Metric(metric), law, 150, rng.generator("score", "floor", metric))
    single = {m.name: scored(tmp_path / "a.npy", rows.numpy(), [m])[str(m)] for m in CHEAP[:3]}
    assert single["mean_error"]["p"] == (1 + int((floor >= single["mean_error"]["value"]).sum())) / 201
    together = scored(tmp_path / "a.npy", rows.numpy(), CHEAP[:3])
    least = min(single, key=lambda name: single[name]["p"])
    assert together[least]["p"] == pytest.approx(min(1.0, 3 * single[least]["p"]))


@pytest.mark.parametrize("fault", ["wrong_weights", "lost_mode", "shifted", "wide_modes"])
def test_faults_are_seen(fault, tmp_path):
    """Some metric says so of 2,000 draws, each a fault that a metric of `CHEAP` sees in 256 (SEES)."""
    rows = FAULTS[fault](MIXTURE.build(), 2_000, stream(fault))
    assert any(entry["p"] < ALPHA for entry in scored(tmp_path / "a.npy", rows.numpy()).values())


def test_exact_draws_are_seldom_said_to_have_a_fault(tmp_path):
    """Of 40 sets of 100 exact draws a star comes in ALPHA or fewer: more than 9 would be by chance in 1e-4 (binomial); a rate of .4 is seen in 97 of 100."""
    law = MIXTURE.build()
    metrics = [parse("metric", name) for name in ("mean_error", "second_moment_bias", "mode_weight_error")]
    sets = [scored(tmp_path / "a.npy", law.sample(100, stream("exact", k)).numpy(), metrics) for k in range(40)]
    starred = sum(any(entry["p"] < ALPHA for entry in entries.values()) for entries in sets)
    assert stats.binom.sf(9, 40, ALPHA) < 1e-4 < stats.binom.sf(7, 40, ALPHA)
    assert starred <= 9


def test_chains_are_worth_their_effective_size(tmp_path):
    """An autoregression of correlation .9 on a Gaussian: 40,000 draws are worth 1 in 19, within a third, and the floors are of so many.

    The window of the estimate is some 60 lags, so that its relative spread is (2 (2 60 + 1)/40,000)^(1/2) = .078 (Sokal 1997, eq. 3.19): four of it.
    """
    g = np.random.Generator(np.random.PCG64(2))
    chains = g.standard_normal((8, 5_000, 2))
    for k in range(1, 5_000):
        chains[:, k] = 0.9 * chains[:, k - 1] + 0.19**0.5 * chains[:, k]
    entries = scored(tmp_path / "a.npy", chains, [*CHEAP, parse("metric", "ess"), parse("metric", "rhat")], parse("target", "gaussian"))
    assert 0.67 < entries["mean_error"]["draws"] / (40_000 * 0.1 / 1.9) < 1.33
    assert entries["mean_error"]["p"] > 1e-3 and entries["rhat"]["status"] == entries["ess"]["status"] == "ok"
    assert scored(tmp_path / "b.npy", chains[0], CHEAP, parse("target", "gaussian"))["mean_error"]["draws"] == 5_000  # as it is said to be


def test_against_a_table_and_without_draws(tmp_path):
    """Of a finite set half is compared, so that the other half makes the floor; of a density without draws KSD has a value and no floor."""
    law = MIXTURE.build()
    np.save(tmp_path / "table.npy", law.sample(900, stream("table")).numpy())
    table = parse("target", f"table:path={tmp_path / 'table.npy'},standardise=false")
    entries = scored(tmp_path / "a.npy", law.sample(400, stream("draws")).numpy(), CHEAP, table)
    assert (
        entries["mmd"]["draws"] == 150
        and entries["mmd"]["p"] > 1e-3
        and entries["mode_weight_error"]["status"].startswith("not_applicable")
    )
    (tmp_path / "my.py").write_text("dim = 2\ndef score(x): return -x\n")
    density = parse("target", f"density:path={tmp_path / 'my.py'}")
    entries = scored(tmp_path / "a.npy", torch.randn(400, 2, generator=stream("normal")).numpy(), [*CHEAP, parse("metric", "ksd")], density)
    assert entries["ksd"]["status"] == "ok" and entries["ksd"]["p"] is None and entries["mmd"]["status"].startswith("not_applicable")


@pytest.mark.parametrize("size", [1e-30, 7e17])
def test_draws_of_another_scale_are_told_from_exact_ones(size, tmp_path):
    """Up to what is allowed a squared distance neither overflows nor makes ties: nearly all votes are right."""
    rows = size * torch.randn(100, 2, generator=stream("scale")).double().numpy().clip(-1, 1)
    assert scored(tmp_path / "a.npy", rows, CHEAP[-1:], parse("target", "gaussian"))["c2st"]["value"] > 0.9


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (np.zeros((100, 3)), "it has 3 coordinates; the target has 2"),
        (np.zeros((4, 100, 2)), "worth 0 independent ones"),
        (np.zeros((4, 5, 2)), "fewer than 10 draws a chain"),
        (np.zeros((5, 2)), r"5 draws, taken as independent \(allowed: 32 or more\)"),
        (np.full((4, 100, 2), np.inf), "chain 1, draw 1, coordinate 1: it is not finite"),
        (np.zeros((2, 4, 100, 2)), r"it has shape \(2, 4, 100, 2\)"),
        (np.full((100, 2), [3.0, -1e20]), r"coordinate 2: it goes to 1e\+20 \(allowed: up to 7.07e\+17 in size\)"),
        (np.full((4, 100, 2), [1e300, 1.0]), r"coordinate 1: it goes to 1e\+300 \(allowed: "),
    ],
)
def test_what_is_no_set_of_draws(array, line, tmp_path):
    with pytest.raises(InputError, match=line):
        scored(tmp_path / "a.npy", array)


def test_the_command(tmp_path):
    """All metrics of samples, one of a plugin among them; mistakes are a line each."""
    np.save(tmp_path / "a.npy", MIXTURE.build().sample(100, stream("command")).numpy())
    text = (Path(__file__).parents[1] / "scorebench/metrics/mean_error.py").read_text().replace("def mean_error(", "def my_metric(")
    (tmp_path / "my_metric.py").write_text(text)
    command = [python(), "-m", "scorebench", "score", "a.npy", "--target", "gaussian_mixture", "--json"]
    done = subprocess.run([*command, "--plugin", "my_metric.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    entries = {entry["metric"]: entry for entry in json.loads(done.stdout)}
    assert set(entries) == {*metrics_about("sampler"), "my_metric"}, done.stderr
    assert (
        entries["my_metric"]["value"] == entries["mean_error"]["value"]
        and entries["rhat"]["status"]
        == entries["ess"]["status"]
        == "not_applicable: it takes chains (allowed: a NPY of shape (chains, draws, d))"
    )
    wrong = [*command, "--temperature", "-1", "--most", "3"]
    done = subprocess.run(wrong, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 2 and done.stderr.count("\n") == 2 and "--most 3 is not allowed" in done.stderr
