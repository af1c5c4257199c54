"""Bad input: every mistake is one clear line, all at once, before any compute. All exact."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults.config import ARGUMENTS, FILES, ROOT, fuzz, malformed, refused

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.figures.base import source_label
from scorebench.suite.mistakes import _of_snapshots
from scorebench.suite.plan import Plan
from scorebench.suite.reading import SUITES, asked, load
from snakemake_logger_plugin_scorebench import check

GOOD = """
name: good
seed: 1
metrics: [mmd]
experiments:
  - target: gaussian
    seeds: 3
    training: {size: 2000, batch: 64, steps: [300], learning_rate: 1e-2}
    sources:
      quadratic: ["denoising:sigma=0.25", "denoising:sigma=0.5"]
    exact: {samplers: [ula], step_sizes: [0.05, 0.2], temperatures: [1.0], chains: 64, budgets: [50, 300]}
"""
EXACT = "experiments[0].exact"
LONG = f"annealed:sigmas={'|'.join(map(str, range(301, 0, -1)))}"


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite.yaml"

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes(path: Path) -> list[str]:
    """The lines that a user reads, the file's name taken off each."""
    with pytest.raises(InputError) as caught:
        load(path)
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in caught.value.lines)
    return [line.removeprefix(f"{path}: ") for line in caught.value.lines]


def test_a_good_suite(suite):
    found = load(suite(GOOD))
    e = found.experiments[0]
    assert e.training.learning_rate == 0.01 and e.exact[0].step_sizes == (0.05, 0.2) and e.trained == ()
    assert [str(loss) for loss in Plan(found).targets["gaussian"].sources[0].losses] == ["denoising:sigma=0.25", "denoising:sigma=0.5"]
    with pytest.raises(ValueError, match="frozen"):
        found.seed = 2


@pytest.mark.parametrize("text", ["1e-2", "1E-2", "1.e-2", ".01", "0.01", "+1e-2", "10e-3"])
def test_numbers_are_numbers(suite, text):
    assert load(suite(GOOD.replace("1e-2", text))).experiments[0].training.learning_rate == 0.01


@pytest.mark.parametrize(
    "path", sorted(Path("workflows/suites").glob("*.yaml")) or sorted(Path(__file__).parent.parent.glob("workflows/suites/*.yaml")), ids=str
)
def test_the_suites_are_good(path):
    plan = Plan(load(path))
    for stage in ("train", "sample", "measure", "claim", "figure"):
        assert len(set(plan.jobs(stage))) == len(plan.jobs(stage))


# One mistake, one line: what is replaced, by what, and what is said.
TABLE = [
    # unknown names: the key, the value, what is known, the nearest
    ("[mmd]", "[mdm]", "metrics: metric 'mdm' is unknown; did you mean 'mmd'? (known: "),
    ("[ula]", "[ulaa]", f"{EXACT}.samplers: sampler 'ulaa' is unknown; did you mean 'ula'? (known: "),
    ("quadratic:", "qadratic:", "experiments[0].sources: model 'qadratic' is unknown; did you mean 'quadratic'? (known: "),
    ("target: gaussian", "target: gausian", "experiments[0].target: target 'gausian' is unknown; did you mean 'gaussian'? (known: "),
    (
        '["denoising:sigma=0.25", ',
        "[denosing, ",
        "experiments[0].sources.quadratic: loss 'denosing' is unknown; did you mean 'denoising'? (known: ",
    ),
    ("[mmd]", "[xyz]", "metrics: metric 'xyz' is unknown (known: acceptance, "),
    (
        "batch: 64",
        "bach: 64",
        "experiments[0].training.bach: key 'bach' is unknown; did you mean 'batch'? (known: batch, learning_rate, size, sizes, steps, sweep)",
    ),
    ("    seeds: 3", "    seeds: 3\n    seed: 3", "experiments[0].seed: key 'seed' is unknown; did you mean 'seeds'? (known: "),
    ("[ula],", "[ula], chain: 3,", f"{EXACT}.chain: key 'chain' is unknown; did you mean 'chains'? (known: "),
    ("seed: 1", "seed: 1\nsed: 1", "sed: key 'sed' is unknown; did you mean 'seed'? (known: "),
    (
        "sigma=0.25",
        "sgima=0.25,sigma=0.25",
        "experiments[0].sources.quadratic: loss 'denoising': option 'sgima' is unknown; did you mean 'sigma'? (known: sigma)",
    ),
    # work
    ("seeds: 3", "seeds: 3\n    work: {samplers: [ula], step_sizes: [0.1]}", None),
    (
        "seeds: 3",
        "seeds: 3\n    work: {samplers: [ula], step_sizes: [0.1], budgets: 100}",
        "experiments[0].work.budgets: key 'budgets' is unknown; did you mean 'budget'?",
    ),
    (
        "seeds: 3",
        "seeds: 3\n    work: {samplers: [ulla], step_sizes: [0.1]}",
        "experiments[0].work.samplers: sampler 'ulla' is unknown; did you mean 'ula'?",
    ),
    (
        "seeds: 3",
        "seeds: 3\n    work: {samplers: [ula], step_sizes: [0.1], pilot: 100}",
        "experiments[0].work.pilot = 100: must be a multiple of 40",
    ),
    (
        "seeds: 3",
        "seeds: 3\n    work: {samplers: [annealed], step_sizes: [0.1], budget: 300}",
        "experiments[0].work[0].budget = 300: sampler 'annealed' takes 240 gradients (allowed: twice as many or more)",
    ),
    (
        "seeds: 3",
        "seeds: 3\n    work: {samplers: [mala_from_data], step_sizes: [0.1]}",
        "experiments[0].work[0].samplers: 'mala_from_data' starts from exact draws, and all start alike here",
    ),
    ("seed: 1", "seed: 1\naccuracy: {margin: 1}", "accuracy.margin = 1: Input should be greater than 1"),
    # numbers
    ("0.05", "-0.05", f"{EXACT}.step_sizes[0] = -0.05: Input should be greater than 0"),
    ("0.05", "0", f"{EXACT}.step_sizes[0] = 0: Input should be greater than 0"),
    ("0.05", ".nan", f"{EXACT}.step_sizes[0] = nan: Input should be a finite number"),
    ("0.05", "nan", f"{EXACT}.step_sizes[0] = 'nan': Input should be a valid number"),
    ("0.05", ".inf", f"{EXACT}.step_sizes[0] = inf: Input should be a finite number"),
    ("[1.0]", "[-1.0]", f"{EXACT}.temperatures[0] = -1.0: Input should be greater than 0"),
    ("1e-2", "-1e-2", "experiments[0].training.learning_rate = -0.01: Input should be greater than 0"),
    ("1e-2", "'1e-2'", "experiments[0].training.learning_rate = '1e-2': Input should be a valid number"),
    ("1e-2", "1e999", "experiments[0].training.learning_rate = inf: Input should be a finite number"),
    ("chains: 64", "chains: 64.0", f"{EXACT}.chains = 64.0: Input should be a valid integer"),
    ("chains: 64", "chains: 8", f"{EXACT}.chains = 8: Input should be greater than or equal to 16"),
    ("seeds: 3", "seeds: 1", "experiments[0].seeds = 1: Input should be greater than or equal to 2"),
    ("seeds: 3", "seeds: true", "experiments[0].seeds = True: Input should be a valid integer"),
    ("seeds: 3", "seeds: three", "experiments[0].seeds = 'three': Input should be a valid integer"),
    ("seed: 1", "seed: -1", "seed = -1: Input should be greater than or equal to 0"),
    ("seed: 1", "seed: 1\njob_minutes: 0", "job_minutes = 0: Input should be greater than 0"),
    (
        "sigma=0.25",
        "sigma=-1",
        "experiments[0].sources.quadratic: loss 'denoising': option sigma=-1: Input should be greater than 0 (allowed: a number above 0)",
    ),
    (
        "denoising:sigma=0.25",
        "denoising",
        "experiments[0].sources.quadratic: loss 'denoising': option 'sigma' is missing (allowed: a number above 0)",
    ),
    # numbers as YAML 1.1 had them
    ("seed: 1", "seed: 010", "seed = '010': Input should be a valid integer"),
    ("seed: 1", "seed: 1:30", "seed = '1:30': Input should be a valid integer"),
    ("seed: 1", "seed: 0x10", "seed = '0x10': Input should be a valid integer"),
    ("seed: 1", "seed: 0o10", "seed = '0o10': Input should be a valid integer"),
    ("seed: 1", "seed: 0b10", "seed = '0b10': Input should be a valid integer"),
    ("seed: 1", "seed: 1_000", "seed = '1_000': Input should be a valid integer"),
    ("seed: 1", "seed: yes", "seed = 'yes': Input should be a valid integer"),
    ("seed: 1", "seed: 2026-01-01", "seed = '2026-01-01': Input should be a valid integer"),
    ("seed: 1", "seed: .inf", "seed = inf: Input should be a valid integer"),
    ("1e-2", "00.5", "experiments[0].training.learning_rate = '00.5': Input should be a valid number"),
    ("1e-2", "1_0.5", "experiments[0].training.learning_rate = '1_0.5': Input should be a valid number"),
    ("1e-2", "1:30.5", "experiments[0].training.learning_rate = '1:30.5': Input should be a valid number"),
    ("seed: 1", "seed: !!int 010", "not YAML: the tag 'tag:yaml.org,2002:int' is not read"),
    ("seed: 1", "seed: !!timestamp x", "not YAML: the tag 'tag:yaml.org,2002:timestamp' is not read"),
    ("[mmd]", "&m [*m, mmd]", "not YAML: *m stands in what it names"),
    ("name: good", "name: on", None),
    ("name: good", "name: 2026-01-01", None),
    # numbers that single precision, or a clock, does not hold
    ("1e-2", "1e-50", "experiments[0].training.learning_rate = 1e-50: must be from 1e-18 to 1e+18 in size"),
    ("1e-2", "1e39", "experiments[0].training.learning_rate = 1e+39: must be from 1e-18 to 1e+18 in size"),
    (
        "target: gaussian",
        "target: 'gaussian:variance=1e39'",
        "experiments[0].target: target 'gaussian': option variance=1e39: Input should be less than or equal to 1",
    ),
    ("sigma=0.25", "sigma=1e-50", "experiments[0].sources.quadratic: loss 'denoising': option sigma=1e-50: must be from 1e-18"),
    ("seed: 1", "seed: 1\njob_minutes: 999999999", "job_minutes = 999999999: Input should be less than or equal to 525600"),
    ("seed: 1", "seed: 1\njob_minutes: .inf", "job_minutes = inf: Input should be less than or equal to 525600"),
    ("seed: 1", "seed: 1" + "0" * 30, "seed = 1e+30: Input should be a valid integer"),
    ("seed: 1", "seed: 9223372036854775808", "seed = 9223372036854775808: Input should be less than"),
    ("chains: 64", "chains: 1000000000000", f"{EXACT}.chains = 1000000000000: Input should be less than or equal to 1000000"),
    ("seeds: 3", "seeds: 1000000000", "experiments[0].seeds = 1000000000: Input should be less than or equal to 10000"),
    ("batch: 64", "batch: 100000000000", "experiments[0].training.batch = 100000000000: Input should be less than or equal to 1000000000"),
    ("name: good", "name: " + "a" * 300, "name = "),
    ("name: good", "name: reference", "name = 'reference': results/reference holds what runs are compared with"),
    # what nothing would read, or cannot be
    ("1e-2", "1e-2, sweep: {learning_rates: [1e-2, 1e-1]}", "experiments[0].training.learning_rate = 0.01: the sweep chooses"),
    (
        "{samplers: [ula],",
        "{samplers: [ula], losses: ['denoising:sigma=0.5'],",
        f"{EXACT}[0].losses = denoising:sigma=0.5: the exact score has no loss",
    ),
    ("[mmd]", "[mmd, rhat]\nsnapshots: [rhat]", "snapshots: metric 'rhat' is measured once, at the end (allowed: mmd)"),
    ("seeds: 3", "seeds: 3\n    rank_by: mdm", "experiments[0].rank_by: metric that can rank 'mdm' is unknown; did you mean 'mmd'?"),
    ("seeds: 3", "seeds: 3\n    rank_by: ksd", "experiments[0].rank_by: metric that can rank 'ksd' is unknown (known: mmd"),
    ("[mmd]", "[mmd, fisher_divergence]\nsnapshots: [fisher_divergence]", "snapshots: metric 'fisher_divergence' is measured once"),
    ("[ula]", f"['{LONG},steps=1']", f"{EXACT}[0].budgets = 300: sampler '{LONG},steps=1' takes 301 gradients (allowed: 301 or more)"),
    ("[ula]", "['annealed:sigmas=2|1|0.5,steps=101']", None),  # its rows say that it does not come to its end
    # what would be empty
    (
        "[mmd]",
        "[ess]\nsensitivity: {target: gaussian_mixture}",
        "sensitivity: none of the metrics 'ess' has a floor (allowed: c2st, class_error, ksd, ",
    ),
    ("[mmd]", "[ess, mmd]\nsensitivity: {target: gaussian_mixture}", None),
    (
        "seed: 1",
        "seed: 1\nfigures: [learning_rate_sweep]",
        "figures: 'learning_rate_sweep' needs a sweep of the learning rate, which the suite",
    ),
    # lists
    ("[0.05, 0.2]", "[]", f"{EXACT}.step_sizes = (): List should have 1 or more items"),
    ("[mmd]", "[]", "metrics = (): List should have 1 or more items"),
    ('["denoising:sigma=0.25", "denoising:sigma=0.5"]', "[]", "experiments[0].sources.quadratic = (): List should have 1 or more items"),
    ("[50, 300]", "[300, 50]", f"{EXACT}.budgets = (300, 50): must rise strictly"),
    ("[50, 300]", "[50, 50]", f"{EXACT}.budgets = (50, 50): must rise strictly"),
    ("steps: [300]", "steps: [300, 200]", "experiments[0].training.steps = (300, 200): must rise strictly"),
    ("[50, 300]", "[0, 300]", f"{EXACT}.budgets[0] = 0: Input should be greater than or equal to 1"),
    ("[0.05, 0.2]", "[0.2, 0.2]", f"{EXACT}.step_sizes = (0.2, 0.2): 0.2 given twice"),
    ("[0.05, 0.2]", "[1, 1.0]", f"{EXACT}.step_sizes = (1, 1.0): 1.0 given twice"),
    # given twice, also where it is written otherwise
    ("[ula]", "[ula, ula]", f"{EXACT}.samplers: sampler 'ula' is given twice"),
    ("sigma=0.5", "sigma=0.250", "experiments[0].sources.quadratic: loss 'denoising:sigma=0.250' is given twice"),
    ("[mmd]", "[mmd, 'mmd:fraction=1.0']", "metrics: metric 'mmd:fraction=1.0' is given twice"),
    ("    exact:", "    seeds: 4\n    exact:", "line 11: key 'seeds' is given twice"),
    (
        "experiments:\n",
        "experiments:\n  - {target: 'gaussian:dim=2', seeds: 2}\n",
        "experiments[1].target: target 'gaussian' is given twice",
    ),
    # shapes
    (
        "{samplers: [ula], step_sizes: [0.05, 0.2], temperatures: [1.0], chains: 64, budgets: [50, 300]}",
        "[ula]",
        f"{EXACT}[0] = 'ula': Input should be a mapping",
    ),
    ("[ula]", "{ula: 1}", f"{EXACT}.samplers = {{'ula': 1}}: Input should be a list"),
    ("[ula]", "ula", f"{EXACT}.samplers = 'ula': Input should be a list"),
    ("[mmd]", "", "metrics = None: Input should be a list"),
    ("[mmd]", "[[mmd]]", "metrics[0] = ('mmd',): Input should be a valid string"),
    ("[mmd]", "[mmd, 1.5]", "metrics[1] = 1.5: Input should be a valid string"),
    ("name: good", "name: Not good", "name = 'Not good': is not allowed; did you mean 'not-good'?"),
    ("name: good\n", "", "name is missing"),
    ("samplers: [ula], ", "", f"{EXACT}.samplers is missing"),
    ("seed: 1", "seed: 1\ndevice: gpu", "device = 'gpu': unknown"),
    ("    exact:", "    trained:", None),  # trained sources are there: nothing is wrong
    (
        '    sources:\n      quadratic: ["denoising:sigma=0.25", "denoising:sigma=0.5"]\n    exact:',
        "    trained:",
        "experiments[0].trained: there is nothing trained to sample (add sources)",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), TABLE, ids=[f"{old[:20]} -> {new[:24]}".replace("\n", " ") for old, new, _ in TABLE])
def test_one_mistake_is_one_line(suite, old, new, said):
    assert old in GOOD
    path = suite(GOOD.replace(old, new, 1))
    if said is None:
        load(path)
        return
    lines = mistakes(path)
    assert len(lines) == 1 and lines[0].startswith(said), lines


def test_all_mistakes_at_once(suite):
    """Keys, values, names, options and keys given twice, wherever they stand, each said once."""
    text = GOOD.replace("seed: 1", "sed: 1\nname: again").replace("[mmd]", "[mdm, mdm]").replace("[ula]", "[ulaa]").replace("0.05", "-0.05")
    lines = mistakes(suite(text.replace("sigma=0.5", "sigma=x").replace("seeds: 3", "seeds: 0")))
    expected = [
        "line 4: key 'name' is given twice",
        "sed: key 'sed' is unknown",
        "seed is missing",
        "experiments[0].seeds = 0",
        f"{EXACT}.step_sizes[0] = -0.05",
        "metrics: metric 'mdm' is unknown",
        f"{EXACT}.samplers: sampler 'ulaa' is unknown",
        "experiments[0].sources.quadratic: loss 'denoising': option sigma=x",
    ]
    assert len(lines) == len(expected) and all(any(line.startswith(e) for line in lines) for e in expected), lines


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a suite is a mapping of keys (known: name, seed, "),
        (b"- 1\n", "a suite is a mapping of keys (known: name, seed, "),
        (b"a: [1\n", "not YAML: "),
        (b"a:\n\t- b\n", "not YAML: "),
        (b"a: !!python/object/apply:os.system ['true']\n", "not YAML: "),
        (b"? [1, 2]\n: 3\n", "not YAML: "),
        (b"\xff\xfe\x00", "not UTF-8 text: "),
        ("name: é".encode("latin-1"), "not UTF-8 text: "),
    ],
)
def test_what_is_no_suite(tmp_path, content, said):
    path = tmp_path / "suite.yaml"
    path.write_bytes(content)
    lines = mistakes(path)
    assert len(lines) == 1 and lines[0].startswith(said)


def test_a_file_that_is_not_there(tmp_path):
    assert mistakes(tmp_path / "none.yaml") == ["No such file or directory"]
    assert mistakes(tmp_path) == ["is a folder (allowed: a suite's YAML file)"]


EXPERIMENT = "  - target: gaussian\n    seeds: 3\n"
TRAINED, SAMPLED = "    sources: {quadratic: [sliced]}\n", "    exact: {samplers: [ula], step_sizes: [0.1]}\n"
MADE = [
    ("[mmd]", "", "experiments: nothing is trained or sampled, and no claim is tested (add sources, exact, work, or claims)"),
    ("[mmd]\nclaims: [fisher-formula]", "", None),  # a suite names some metric
    ("[mmd, fisher_divergence]\nsensitivity: {target: gaussian_mixture}", TRAINED, None),  # mmd is that of the planted faults
    ("[mmd, fisher_divergence]", TRAINED + EXPERIMENT.replace("gaussian", "two_moons") + SAMPLED, None),
    (
        "[mmd, mode_weight_error]\nfigures: [metric_sensitivity]",
        SAMPLED + EXPERIMENT.replace("gaussian", "gaussian_mixture"),
        "figures: 'metric_sensitivity' needs sensitivity, which the suite does not have",
    ),
    ("[fisher_divergence]\nfigures: [learning_rate_sweep]", "    training: {sweep: {learning_rates: [1e-2, 1e-1]}}\n" + TRAINED, None),
]


@pytest.mark.parametrize(("metrics", "made", "said"), MADE)
def test_what_nothing_is_made_for_is_refused(suite, metrics, made, said):
    path = suite(f"name: made\nseed: 1\nmetrics: {metrics}\nexperiments:\n{EXPERIMENT}{made}")
    if said is None:
        load(path)
    else:
        assert mistakes(path) == [said]


def test_merged_keys(suite):
    """`<<` brings a mapping's keys, which may be given again: that is no key given twice; a real one beside it is."""
    more = "  - target: gaussian_mixture\n    seeds: 2\n    training: {<<: *t, batch: 32}\n"
    text = GOOD.replace("training: {", "training: &t {") + more
    assert [e.training.batch for e in load(suite(text)).experiments] == [64, 32]
    assert mistakes(suite(text.replace("batch: 32", "batch: 32, batch: 33")))[0].endswith("key 'batch' is given twice")


def test_a_bad_suite_leaves_nothing_behind(suite, tmp_path):
    """By the command line: the lines on stderr, exit code 2, no traceback, nothing written."""
    path = suite(GOOD.replace("[ula]", "[ulaa]").replace("0.05", "-0.05"))
    command = [
        sys.executable,
        "-m",
        "scorebench",
        "stage",
        "sample",
        "--suite",
        str(path),
        "--job",
        "x",
        "--results",
        str(tmp_path / "results"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 2 and all(line.startswith(f"scorebench: {path}: ") for line in done.stderr.splitlines())
    assert list(tmp_path.iterdir()) == [path]


# Specs

SPECS = [
    ("loss", "denoising:sigma=1.0", "denoising:sigma=1"),
    ("loss", "denoising:sigma=1e-1", "denoising:sigma=0.1"),
    ("loss", "denoising: sigma = 2 ", "denoising:sigma=2"),
    ("loss", "sliced:probe=rademacher", "sliced"),
    ("loss", "sliced:probe=sphere", "sliced:probe=sphere"),
    ("target", "digits:noise=1e-1", "digits"),
    ("target", "gaussian:variance=1e15,dim=3", "gaussian:dim=3,variance=1000000000000000"),
    ("target", "gaussian:variance=0.123456789012345660", "gaussian:variance=0.12345678901234566"),
    ("target", "gaussian_mixture:weight=null", "gaussian_mixture"),
    ("model", "mlp_energy:width=64,depth=3", "mlp_energy:depth=3"),
    ("sampler", "annealed:sigmas=2|1|0.5", "annealed:sigmas=2|1|0.5"),
]


@pytest.mark.parametrize(("kind", "text", "canonical"), SPECS)
def test_equal_configurations_are_equal_specs(kind, text, canonical):
    """One text for a configuration, which reads back as it; defaults left out; a file name of safe characters."""
    spec = parse(kind, text)
    assert str(spec) == canonical and parse(kind, canonical) == spec and hash(parse(kind, canonical)) == hash(spec)
    assert set(spec.slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")


def test_different_configurations_are_different_files():
    texts = [
        "gaussian",
        "gaussian:dim=1",
        "gaussian:dim=11",
        "gaussian:variance=0.1",
        "gaussian:variance=0.10000000000000002",
        "gaussian:condition=0.1",
    ]
    specs = parse_all("target", texts)
    assert len({str(s) for s in specs}) == len({s.slug for s in specs}) == len(texts)


BAD_SPECS = [
    ("loss", "denoising:sigma", ["option 'sigma' is not of the form key=value", "option 'sigma' is missing"]),
    ("loss", "denoising:", ["option '' is not of the form key=value", "option 'sigma' is missing"]),
    ("loss", "denoising:sigma=", ["option sigma=: Input should be a valid number (allowed: a number above 0)"]),
    ("loss", "denoising:sigma=1,", ["option '' is not of the form key=value"]),
    ("loss", "denoising:,sigma=1", ["option '' is not of the form key=value"]),
    ("loss", "denoising:sigma=1,sigma=1", ["option 'sigma' is given twice"]),
    ("loss", "denoising:sigma=nan", ["option sigma=nan: Input should be a finite number"]),
    ("loss", "denoising:sigma=inf", ["option sigma=inf: Input should be a finite number"]),
    ("loss", "denoising:sigma=true", ["option sigma=true: Input should be a valid number"]),
    ("loss", "denoising:sigma=1|2", ["option sigma=1|2: Input should be a valid number"]),
    ("loss", "denoising:sigma=1=2", ["option sigma=1=2: Input should be a valid number"]),
    ("loss", "sliced:", ["option '' is not of the form key=value"]),
    ("loss", "sliced:probe=gausian", ["option probe=gausian: Input should be 'rademacher', 'gaussian' or 'sphere'"]),
    ("loss", "sliced:step_size=1", ["option 'step_size' is unknown (known: probe)"]),
    ("loss", "sliced:prob=gaussian", ["option 'prob' is unknown; did you mean 'probe'? (known: probe)"]),
    ("target", "gaussian:dim=2.0", ["option dim=2.0: Input should be a valid integer (allowed: a whole number, 1 or more)"]),
    ("target", "gaussian:dim=0", ["option dim=0: Input should be greater than or equal to 1"]),
    ("target", "gaussian:dim=0,variance=-1,x=1", ["option dim=0: ", "option variance=-1: ", "option 'x' is unknown"]),
    ("target", "gaussian_mixture:weight=1", ["option weight=1: Input should be less than 1 (allowed: a number between 0 and 1)"]),
    ("target", "gaussian_mixture:weight=nan", ["option weight=nan: "]),
    ("sampler", "annealed:sigmas=1|2", ["option sigmas=1|2: noise levels must fall strictly"]),
    ("sampler", "annealed:sigmas=1|1", ["option sigmas=1|1: noise levels must fall strictly"]),
    ("sampler", "annealed:sigmas=1", ["option sigmas=1: Input should be"]),
    ("sampler", "annealed:sigmas=2|-1", ["option sigmas=2|-1: Input should be greater than 0"]),
    ("sampler", "annealed:sigmas=2|", ["option sigmas=2|: Input should be a valid number"]),
    ("sampler", "ula:step_size=0.1", ["option 'step_size' is unknown (known: none); in a suite put it into step_sizes: [0.1]"]),
    ("sampler", "hmc:stepsize=1|2", ["option 'stepsize' is unknown (known: leapfrog_steps); in a suite put it into step_sizes: [1, 2]"]),
    ("sampler", "mala:temperature=2", ["option 'temperature' is unknown (known: none); in a suite put it into temperatures: [2] of exact"]),
    (
        "sampler",
        "exact:temperature=2",
        ["option 'temperature' is unknown (known: none); in a suite put it into temperatures: [2] of exact"],
    ),
    (
        "target",
        "table:path=my,name.csv",
        ["option 'name.csv' is not of the form key=value; a comma ends path=my (a path with a comma cannot be given"],
    ),
    (
        "target",
        "table:path=../run,lr=0.1.csv",
        ["option 'lr' is unknown (known: columns, noise, path, standardise); a comma ends path=../run (a path with"],
    ),
    (
        "target",
        "table:path=my.csv,columns=a,b",
        ["option 'b' is not of the form key=value; a comma ends columns=a (names are separated by |)"],
    ),
    (
        "target",
        "table:path=my.csv,standardize=false",
        ["option 'standardize' is unknown; did you mean 'standardise'? (known: columns, noise, path, standardise)"],
    ),
]


@pytest.mark.parametrize(("kind", "text", "said"), BAD_SPECS, ids=[b[1] for b in BAD_SPECS])
def test_bad_specs(kind, text, said):
    with pytest.raises(InputError) as caught:
        parse(kind, text)
    where = f"{kind} {text.partition(':')[0]!r}: "
    assert len(caught.value.lines) == len(said), caught.value.lines
    assert all(line.startswith(where + s) for line, s in zip(caught.value.lines, said, strict=True)), caught.value.lines


@pytest.mark.parametrize("text", ["", ":", " gaussian", "Gaussian", "gaussian ", "base", "_mixture"])
def test_names_are_exact(text):
    with pytest.raises(InputError, match="is unknown"):
        parse("target", text)


@pytest.mark.parametrize("value", [3, None, ["gaussian"], {"gaussian": 1}, True])
def test_a_spec_is_text(value):
    with pytest.raises(InputError, match=r"is not a name \(allowed: name or name:key=value,key=value\)"):
        parse("target", value)


def test_what_has_no_step_is_not_told_to_have_one():
    for name in ("exact", "prior", "probability_flow"):
        with pytest.raises(InputError, match=r"option 'step_size' is unknown \(known: .*\)$"):
            parse("sampler", f"{name}:step_size=1")


def test_a_tuned_option_at_its_default_is_left_out():
    hmc = parse("sampler", "hmc:leapfrog_steps=4")
    assert hmc.having("leapfrog_steps", 5) == parse("sampler", "hmc:leapfrog_steps=5") == Spec("sampler", "hmc") != hmc


def test_the_grid_is_for_the_command_line():
    spec = parse("sampler", "ula:step_size=.1,temperature=2", grid=True)
    assert spec.options == {"step_size": 0.1, "temperature": 2.0} and str(spec.without("step_size", "temperature")) == "ula"
    for wrong in ("0", "-1", "nan", "x"):
        with pytest.raises(InputError, match="step_size"):
            parse("sampler", f"mala:step_size={wrong}", grid=True)


def test_a_label_shows_the_options():
    assert parse("loss", "denoising:sigma=0.5").label == "denoising, σ = 0.5"
    assert parse("loss", "sliced:probe=gaussian").label == "sliced, probe gaussian"  # not that of another
    assert parse("model", "mlp_energy:width=128,depth=3").label == "MLP energy, width 128, depth 3"
    assert parse("loss", "closed_form:ridge=0.1").label == "implicit, closed form, λ = 0.1"
    assert parse("sampler", "hmc:leapfrog_steps=10").label == "HMC"  # what is tuned is told beside it
    assert source_label("mlp_score:width=128", "sliced") == "sliced (field), width 128"
    assert dataclasses.is_dataclass(parse("loss", "sliced")) and registry.entry("loss", "sliced").facts["LABEL"] == "sliced"


# Tuned options of samplers.

FRICTION = "exact: {samplers: [underdamped, ula], grid: {friction: [0.5, 1, 2]}"


def gridded(suite, old: str = "", new: str = "") -> Path:
    text = GOOD.replace("exact: {samplers: [ula]", FRICTION)
    assert old in text
    return suite(text.replace(old, new, 1) if old else text)


def test_a_tuned_option_is_a_spec_a_value(suite):
    """In the order of the grid, each once, the default's value left out; a sampler that does not tune it as it is, in a block of its own as well."""
    plan = Plan(load(gridded(suite)))
    jobs = ["gaussian/underdamped-friction0.5", "gaussian/underdamped", "gaussian/underdamped-friction2", "gaussian/ula"]
    assert list(plan.samples) == jobs and {str(job.sampler.method) for job in plan.samples.values()} == {"underdamped", "ula"}
    splittings = gridded(suite, "[underdamped, ula]", "['underdamped:splitting=ABOBA', 'underdamped:splitting=OABAO']")
    methods = [str(job.sampler.method) for job in Plan(load(splittings)).samples.values()]
    assert methods == ["underdamped:splitting=ABOBA"] * 3 + ["underdamped:splitting=OABAO"] * 3
    trained = gridded(
        suite, "\n    exact", "\n    trained: {samplers: [underdamped], step_sizes: [0.1], grid: {friction: [2, 3]}}\n    exact"
    )
    assert [(len(job.exact), len(job.trained)) for job in Plan(load(trained)).samples.values()] == [(1, 0), (1, 0), (1, 1), (1, 0), (0, 1)]


@pytest.mark.parametrize("values", ["[[1, 2], [1, 4, 16]]", "['1|2', '1|4|16']"])
def test_a_ladder_is_a_value_of_a_grid(suite, values):
    """As a list, or as it stands in a spec."""
    plan = Plan(load(suite(GOOD.replace("[ula],", f"[parallel_tempering], grid: {{temperatures: {values}}},"))))
    assert [str(job.sampler) for job in plan.samples.values()] == [f"parallel_tempering:temperatures={v}" for v in ("1|2", "1|4|16")]


BAD_GRIDS = [
    ("friction:", "fricton:", "grid: tuned option 'fricton' is unknown; did you mean 'friction'? (known: friction)"),
    ("[underdamped, ula]", "[ula]", "grid: tuned option 'friction' is unknown (known: none)"),
    ("[0.5,", "[-1,", "grid.friction = -1: sampler 'underdamped': Input should be greater than 0 (allowed: a number above 0)"),
    ("[0.5,", "[x,", "grid.friction = 'x': sampler 'underdamped': Input should be a valid number (allowed: a number above 0)"),
    ("[0.5,", "[1e-30,", "grid.friction = 1e-30: sampler 'underdamped': must be from 1e-18"),
    ("[0.5,", "[{a: 1},", "grid.friction = {'a': 1}: sampler 'underdamped': Input should be a valid number"),
    ("[0.5,", "[[0.5],", "grid.friction = (0.5,): sampler 'underdamped': Input should be a valid number"),
    ("[0.5, 1, 2]", "[]", "grid.friction = (): List should have 1 or more items"),
    ("[0.5, 1, 2]", "[1, 1.0]", "grid.friction = (1, 1.0): 1.0 given twice"),
    ("[0.5, 1, 2]", "1", "grid.friction = 1: Input should be a list"),
    ("{friction: [0.5, 1, 2]}", "[friction]", "grid = ('friction',): Input should be a mapping"),
    ("friction:", "step_size:", "grid.step_size: has a key of its own (allowed: step_sizes)"),
    ("friction:", "temperature:", "grid.temperature: has a key of its own (allowed: temperatures)"),
    (
        "[underdamped, ula]",
        "['underdamped:friction=1']",
        "samplers: sampler 'underdamped:friction=1' gives friction, and so does the grid (allowed: one of them)",
    ),
    ("[underdamped, ula]", "[underdamped, underdamped]", "samplers: sampler 'underdamped:friction=0.5' is given twice"),
    ("[underdamped, ula]", "[underdampd]", "samplers: sampler 'underdampd' is unknown; did you mean 'underdamped'? (known: "),
]


@pytest.mark.parametrize(("old", "new", "said"), BAD_GRIDS, ids=[new for _, new, _ in BAD_GRIDS])
def test_a_bad_grid(suite, old, new, said):
    (line,) = mistakes(gridded(suite, old, new))
    assert line.startswith(f"{EXACT}.{said}"), line


def test_a_value_that_is_written_twice(suite):
    (line,) = mistakes(gridded(suite, "[0.5, 1, 2]", "[1, '1']"))
    assert line == f"{EXACT}[0].grid: sampler 'underdamped:friction=1' is given twice"


# Blocks, losses and the models they can train.

SOURCES = "sources:\n      mlp_energy: [sliced]\n    training: {batch: 64}\n    trained:\n"
BLOCK = "{samplers: [ula], step_sizes: [0.1], chains: 32, budgets: [50]%s}"


def with_blocks(*more: str, sources: str = SOURCES) -> str:
    """A suite whose trained sources are sampled in several blocks."""
    head, _, _ = GOOD.partition("    training:")
    return head + "    " + sources + "".join(f"      - {BLOCK % m}\n" for m in more)


def test_blocks(suite):
    """One sampler in two blocks, at other temperatures or on other losses."""
    found = load(suite(with_blocks("", ", temperatures: [0.5, 2.0]"))).experiments[0]
    assert [b.temperatures for b in found.trained] == [(1.0,), (0.5, 2.0)]


BAD_BLOCKS = [
    (("", ""), "experiments[0].trained[1]: sampler 'ula' on sliced: a step size and temperature that stand in an earlier block"),
    ((", losses: [slicd]",), "experiments[0].trained[0].losses: loss 'slicd' is unknown; did you mean 'sliced'?"),
    ((", losses: [implicit]",), "experiments[0].trained[0].losses: 'implicit' is unknown (known: sliced)"),
    ((", losses: []",), "experiments[0].trained[0].losses = (): List should have 1 or more items"),
]


@pytest.mark.parametrize(("blocks", "said"), BAD_BLOCKS)
def test_a_bad_block(suite, blocks, said):
    lines = mistakes(suite(with_blocks(*blocks)))
    assert len(lines) == 1 and lines[0].startswith(said), lines


def test_budgets_that_differ(suite):
    text = with_blocks("", ", temperatures: [2.0]").replace("budgets: [50], temp", "budgets: [60], temp")
    assert mistakes(suite(text)) == [
        "experiments[0].trained[1]: sampler 'ula' on sliced: chains and budgets that differ from an earlier block's"
    ]


ORDINARY = "autoencoder, kernel_exponential, mlp_energy, mlp_score, quadratic"


@pytest.mark.parametrize(
    ("model", "loss", "said"),
    [
        (
            "mlp_energy",
            "denoising_ladder:sigmas=2|1",
            "needs a model with noise levels (known: noise_conditional_energy, preconditioned_denoiser)",
        ),
        ("noise_conditional_energy", "sliced", f"needs a model without noise levels (known: {ORDINARY})"),
        (
            "mlp_score",
            "contrastive_divergence",
            "needs a model that is an energy and without noise levels (known: kernel_exponential, mlp_energy, quadratic)",
        ),
        ("mlp_energy", "closed_form", "needs a model with a closed form and without noise levels (known: kernel_exponential, quadratic)"),
    ],
)
def test_a_loss_on_a_model_it_cannot_train(suite, model, loss, said):
    sources = SOURCES.replace("mlp_energy: [sliced]", f'{model}: ["{loss}"]')
    assert mistakes(suite(with_blocks("", sources=sources))) == [f"experiments[0].sources.{model}: loss {loss!r} {said}"]


def test_a_ladder_that_was_not_trained(suite):
    """Each level that a sampler goes down to is one of the loss's."""
    sources = SOURCES.replace("mlp_energy: [sliced]", 'noise_conditional_energy: ["denoising_ladder:sigmas=4|2|1"]')
    for sigmas, absent in (("4|2|1", ""), ("4|1", ""), ("4|3|1", "3"), ("4|2|1|0.5|0.25", "0.5, 0.25")):
        text = with_blocks("", sources=sources).replace("[ula]", f"['annealed:sigmas={sigmas},steps=5']")
        if absent:
            (line,) = mistakes(suite(text))
            assert line.endswith(f"does not have: {absent} (allowed: 4, 2, 1)") and line.startswith(
                "experiments[0].trained[0]: sampler 'annealed"
            )
        else:
            load(suite(text))


def test_an_alias_of_aliases_of_aliases(suite):
    """Eight lines that stand for a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (line,) = mistakes(suite("\n".join(lines)))
    assert line.startswith("not YAML: more than 10,000 values")


def test_nesting_without_end(suite):
    (line,) = mistakes(suite("a: " + "[" * 3000 + "]" * 3000))
    assert line.startswith("not a suite: nested too deeply")


def test_what_is_measured_before_the_end_is_what_snapshots_may_name():
    """Exactly the metrics that need samples alone of a run."""
    early = {name for name in registry.names("metric") if _of_snapshots(Spec("metric", name))}
    assert {"mmd", "mode_weight_error", "mean_error"} <= early and not early & {
        "rhat",
        "ess",
        "acceptance",
        "fisher_divergence",
        "hyvarinen_score",
    }


LADDER = "|".join(f"{10 * 0.8377**level:.4g}" for level in range(40))


def test_long_specs_are_files():
    """Forty noise levels: the names of files end where file systems' do, and the spec stands in full in the file."""
    long, other = (parse("loss", f"denoising_ladder:sigmas={LADDER}{more}") for more in ("", "|1e-3"))
    assert len(str(long)) > 255 and len(long.slug) < 100 and long.slug != other.slug
    assert long.slug.startswith("denoising_ladder-sigmas10_8.377_")


@pytest.mark.parametrize(
    "texts",
    [
        ["sum", "SUM", "Sum"],
        ["m:k=12", "m:k1=2"],
        ["m:a=1,b=2", "m:a=1-b2"],
        ["m:a=x_y", "m:a=x|y", "m:a=x/y", "m:a=x y"],
        ["m:a=BAOAB", "m:a=baoab"],
        ["m/a", "m_a", "m-a", "m:a=1", "m-a1"],
        ["m:a=1,e=2", "m:a=1-e2"],
        ["m:a=0.1", "m:a=0.10000000000000002"],
        ["m:a=" + "1" * 90 + "2", "m:a=" + "1" * 90 + "3"],
        ["null", "nan", "NA", "true", "1e5", "1E5"],
        ["é", "è"],
    ],
)
def test_no_two_specs_meet_in_a_file(texts):
    """Whatever they are made of, where upper and lower case are one, too."""
    named = [text.partition(":") for text in texts]
    pairs = [tuple(tuple(item.split("=", 1)) for item in rest.split(",") if "=" in item) for _, _, rest in named]
    specs = [Spec("loss", name, given) for (name, _, _), given in zip(named, pairs, strict=True)]
    slugs = {spec.slug.lower() for spec in specs}
    assert len(slugs) == len(texts) and all(re.fullmatch(r"[a-z0-9_+-][a-z0-9_.+-]*", slug) and len(slug) < 100 for slug in slugs)


def test_the_names_of_files_are_what_they_were():
    """Plain specs keep them: jobs are called so in the reference, too."""
    for kind, text, slug in (
        ("target", "gaussian_mixture:components=8,radius=3,std=0.3", "gaussian_mixture-components8-radius3-std0.3"),
        ("sampler", "annealed:sigmas=8|4|2,steps=60,denoise=true", "annealed-sigmas8_4_2-steps60-denoisetrue"),
        ("loss", "denoising:sigma=1e-5", "denoising-sigma1e-05"),
    ):
        assert parse(kind, text).slug == slug


@pytest.mark.parametrize("value", ["010", "1_0", "0x10", "1e", "٣", " 3 3", "1.5.2"])
def test_numbers_of_a_spec_are_written_in_tens(value):
    with pytest.raises(InputError, match=r"should be a valid (integer|number)"):
        parse("target", f"gaussian:dim={value}")
    with pytest.raises(InputError, match=r"should be a valid number"):
        parse("target", f"gaussian:variance={value}")


@pytest.mark.parametrize("case", malformed()[::3], ids=lambda case: case.name)
def test_a_malformed_suite_has_a_line_a_mistake(case, tmp_path):
    """A third of what `make faults` tries, and a tenth in the next."""
    said, _ = refused(case, tmp_path)
    assert not said


def test_whatever_is_written_is_planned_or_refused(tmp_path):
    found = fuzz(200, tmp_path)
    assert found["planned"] and found["refused"] and not found["wrong"], found["wrong"][:1]


@pytest.mark.parametrize(("arguments", "words"), ARGUMENTS, ids=lambda value: str(value)[:60])
def test_snakemake_is_told_before_it_reads(arguments, words, tmp_path, monkeypatch):
    """By the display, which it makes first; a name is looked up later, with the Snakefile's folder."""
    monkeypatch.chdir(ROOT)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    if arguments == ("--config", "suite=smok"):
        check(list(arguments))
        with pytest.raises(InputError) as told:
            asked((), [arguments[1]], ROOT / SUITES)
    else:
        with pytest.raises(SystemExit) as told:
            check(["--dry-run", *(part.format(folder=tmp_path) for part in arguments)])
    assert words in str(told.value)


def test_a_suite_by_its_name(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert asked((), []) == SUITES / "article.yaml" and asked((), ["suite=smoke"]) == SUITES / "smoke.yaml"
    assert asked((), ["suite=workflows/suites/smoke.yaml"]) == SUITES / "smoke.yaml" and asked([Path("mine.yaml")], []) == Path("mine.yaml")
