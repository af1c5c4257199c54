"""The registry: files register themselves, are read without being imported, break alone, and plan without torch. All exact."""

import dataclasses
import inspect
import itertools
import subprocess
import sys

import pytest
from package_copy import forget, package_copy

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.schema import SAMPLERS, SENSITIVITY
from scorebench.core.spec import parse, parse_all
from scorebench.report import render
from scorebench.suite.fingerprint import fingerprint
from scorebench.suite.jobs import gradients
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

METHODS = [(kind, name) for kind in registry.FOLDERS for name in registry.names(kind)]

SUITE = """
name: registry
seed: 1
metrics: [mmd, fisher_divergence]
sensitivity: {target: gaussian_mixture}
claims: [step-size-bias, drift-diffusion]
figures: [brownian_and_drifted_paths, claims_overview]
experiments:
  - target: gaussian
    seeds: 2
    sources: {quadratic: [explicit]}
    exact: {samplers: [ula, mala], step_sizes: [0.1], chains: 16}
  - target: gaussian_mixture
    seeds: 2
    sources: {mlp_energy: ["denoising:sigma=0.1", "denoising:sigma=0.2", sliced]}
    exact: {samplers: [ula, exact], step_sizes: [0.1], chains: 16}
    trained: {samplers: [ula], step_sizes: [0.1], chains: 16}
"""


@pytest.fixture(scope="module")
def _package(tmp_path_factory):
    yield from package_copy(tmp_path_factory.mktemp("package"))


@pytest.fixture
def package(_package):
    """A copy of the package that the registry reads in the package's place; call `forget` after an edit. Files that are added are taken away."""
    there = set(_package.rglob("*.py"))
    yield _package
    for path in set(_package.rglob("*.py")) - there:
        path.unlink()
    forget()


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path / "suite.yaml"


@pytest.mark.parametrize(("kind", "name"), [m for m in METHODS if m[0] not in ("claim", "figure")])
def test_what_is_read_is_what_runs(kind, name):
    """Options and facts from the syntax tree are those of the imported method; the method is called like its file."""
    entry, method, module = registry.entry(kind, name), registry.method(kind, name), registry.module(kind, name)
    assert entry.error is None and entry.summary and entry.summary == inspect.getdoc(module).splitlines()[0]
    assert method.__name__.lower().replace("_", "") == name.replace("_", "")
    if dataclasses.is_dataclass(method) and kind == "sampler":
        wanted = {f.name: f.default for f in dataclasses.fields(method) if f.name not in ("step_size", "temperature")}
        missing = dataclasses.MISSING
    else:
        parameters = inspect.signature(method).parameters.values()
        wanted = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        missing = inspect.Parameter.empty
    options = {k: missing if o.default is registry.REQUIRED else o.default for k, o in entry.options.items()}
    assert options == wanted
    for key, value in entry.facts.items():
        assert getattr(module, key) == value
    for option in entry.options.values():
        if option.default not in (registry.REQUIRED, None):
            assert option.check(option.default) == option.default and option.allowed


@pytest.mark.parametrize(("kind", "name"), [m for m in METHODS if m[0] in ("claim", "figure")])
def test_claims_and_figures_are_read(kind, name):
    entry = registry.entry(kind, name)
    assert entry.error is None and entry.summary == inspect.getdoc(registry.module(kind, name)).splitlines()[0]


def test_every_kind_has_methods():
    assert set(registry.FOLDERS) == {"target", "model", "loss", "sampler", "metric", "claim", "figure"}
    for kind in registry.FOLDERS:
        names = registry.names(kind)
        assert names and names == sorted(names) and "base" not in names and not any(n.startswith("_") for n in names)


def test_an_unknown_name_says_the_known_ones():
    with pytest.raises(InputError, match=r"sampler 'mals' is unknown; did you mean 'mala'\? \(known: .*exact, .*mala, .*prior, .*ula"):
        registry.entry("sampler", "mals")
    for name in ("base", "_mixture", "../samplers/ula", ""):
        with pytest.raises(InputError, match="is unknown"):
            registry.entry("target", name)


def test_planning_imports_nothing_heavy(suite):
    """A suite is checked and planned in a process that has loaded no torch, numpy, pandas, scipy or drawing library."""
    heavy = ["torch", "numpy", "pandas", "pandera", "scipy", "sklearn", "matplotlib", "ot", "snakemake"]
    program = f"""
import sys
import scorebench.cli
from scorebench.suite.reading import load
from scorebench.suite.estimate import minutes
from scorebench.suite.fingerprint import fingerprint
from scorebench.suite.jobs import gradients
from scorebench.suite.plan import Plan
plan = Plan(load({str(suite)!r}))
for stage in ("train", "sample", "measure", "work", "map", "sensitivity", "claim", "tables", "figure", "page"):
    for job in plan.jobs(stage):
        assert fingerprint(plan, stage, job) and minutes(plan, stage, job) > 0
print(sorted(set({heavy!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_new_file_registers_itself(package):
    """One file, and its name is known with its options and facts."""
    (package / "samplers/underdamped_langevin.py").write_text('''"""Underdamped Langevin."""
from dataclasses import dataclass
LABEL = "friction {friction}"
NEEDS = {"score"}
@dataclass(frozen=True)
class UnderdampedLangevin:
    step_size: Tensor
    temperature: Tensor
    friction: Positive = 1.0
    ladder: Falling = (2.0, 1.0)
''')
    assert "underdamped_langevin" in registry.names("sampler")
    spec = parse("sampler", "underdamped_langevin:friction=2,ladder=4|1|0.5")
    assert spec.options == {"friction": 2.0, "ladder": (4.0, 1.0, 0.5)} and spec.label == "friction 2.0"
    assert str(spec) == "underdamped_langevin:friction=2,ladder=4|1|0.5" and parse("sampler", str(spec)) == spec
    assert spec.entry.facts["NEEDS"] == {"score"} and spec.entry.summary == "Underdamped Langevin."
    for wrong in ("0.5|1|4", "4|4", "4", "4|-1", "4|nan"):
        with pytest.raises(InputError, match=r"ladder=.*\(allowed: two or more numbers above 0 that fall"):
            parse("sampler", f"underdamped_langevin:ladder={wrong}")


BROKEN = {
    "syntax": "def broken(:\n",
    "a default that is no literal": "def broken(*, a: Positive = 1 / 3):\n    pass\n",
    "a type that is no option's": "def broken(*, a: Optional[float] = None):\n    pass\n",
    "an unhashable key": "X = {[]: 1}\ndef broken(*, a: Positive = {[]: 1}):\n    pass\n",
    "a null byte": "x = '\0'\n",
    "a label of no option": "LABEL = 'order {order}'\ndef broken(*, a: Positive = 1):\n    pass\n",
    "a label in LaTeX": "LABEL = r'$\\sigma_{max}$'\ndef broken(*, a: Positive = 1):\n    pass\n",
    "a brace that is open": "LABEL = 'a {'\ndef broken(*, a: Positive = 1):\n    pass\n",
    "a word that no spec can give": "def broken(*, a: Literal['x,y'] = 'x,y'):\n    pass\n",
    "a word with spaces at its ends": "def broken(*, a: Literal[' x'] = ' x'):\n    pass\n",
}


def fingerprints(path):
    plan = Plan(load(path))
    return {(stage, job): fingerprint(plan, stage, job) for stage in ("train", "sample", "measure") for job in plan.jobs(stage)}


@pytest.fixture(scope="module")
def before(_package, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "suite.yaml"
    path.write_text(SUITE)
    return fingerprints(path)


KINDS = ("sampler", "loss", "metric")
DEALT = [*(("syntax", kind) for kind in KINDS), *zip(list(BROKEN)[1:], itertools.cycle(KINDS), strict=False)]


@pytest.mark.parametrize(("mistake", "kind"), DEALT)
def test_a_broken_file_breaks_alone(package, before, suite, kind, mistake):
    """The others are listed, planned and fingerprinted as before; a suite that names the broken one is planned, its import refused.

    One mistake in a file of each kind, the others in one kind each, in turn: one function reads the files of all.
    """
    (package / registry.FOLDERS[kind] / "broken.py").write_text(BROKEN[mistake])
    forget()
    assert "broken" in registry.names(kind) and registry.entry(kind, "broken").error
    assert all(registry.entry(k, n).error is None for k, n in METHODS)
    assert fingerprints(suite) == before
    specs = parse_all(kind, ["broken:a=1", "broken:a=2"])
    assert [str(s) for s in specs] == ["broken:a=1", "broken:a=2"]
    with pytest.raises(InputError, match="broken"):
        registry.method(kind, "broken")


FACTS = {
    "GRADIENTS = 'order'": "GRADIENTS = 'order' is no number of gradients a step (allowed: a whole number, 0 or more, or the name of an option of type ",
    "GRADIENTS = 'a'": "GRADIENTS = 'a' is no number",
    "GRADIENTS = 1.5": "GRADIENTS = 1.5 is no number",
    "GRADIENTS = True": "GRADIENTS = True is no number",
    "TUNES = {'order'}": "TUNES = {'order'} does not hold names of these (allowed: a)",
    "TUNES = 'a'": "TUNES = 'a' does not hold names of these (allowed: a)",
    "TUNES = {'a': 1}": "TUNES = {'a': 1} does not hold",
    "AXES = ('stepsize',)": "AXES = ('stepsize',) does not hold names of these (allowed: step_size, temperature)",
    "GRADIENTS = -1": "GRADIENTS = -1 is no number",
}


@pytest.mark.parametrize(("fact", "said"), FACTS.items(), ids=FACTS)
def test_facts_of_a_sampler_that_cannot_be(package, fact, said):
    """Said when the file is read, by a line that names fact and value; the spec that the fact was to be read for is planned, and fails alone."""
    (package / "samplers/broken.py").write_text(f"{fact}\nclass Broken:\n    step_size: Tensor\n    a: Positive = 1.0\n")
    forget()
    error = registry.entry("sampler", "broken").error
    assert error is not None and error.startswith(f"ValueError: {said}")
    assert gradients(parse("sampler", "broken:a=2")) == 1


FACTS_OF = [
    ("sampler", "VARIANTS = 3", "VARIANTS = 3 is no fact of a sampler (allowed: a dictionary of texts)"),
    ("loss", "VARIANTS = {'a': '{b}'}", "VARIANTS = '{b}': {b} is no option (allowed: a;"),
    ("target", "LABEL = 'a {a:s}'", "LABEL = 'a {a:s}': {a:s} does not write 1.0: "),
    ("target", "LABEL = 3", "LABEL = 3 is no fact of a target (allowed: text)"),
    ("target", "IGNORED = [1]", "IGNORED = [1] is no fact of a target (allowed: a dictionary whose values are dictionaries)"),
    ("target", "IGNORED = {'a': 1}", "IGNORED = {'a': 1} is no fact"),
    ("target", "IGNORED = {'b': {}}", "IGNORED = {'b'} does not hold names of these (allowed: a)"),
    ("target", "IGNORED = {'a': {'b': 1}}", "IGNORED = {'b'} does not hold names of these (allowed: a)"),
    ("loss", "NEEDS = 3", "NEEDS = 3 is no fact of a loss (allowed: a set or tuple of texts)"),
    ("loss", "NEEDS = 'model.score'", "NEEDS = 'model.score' is no fact"),
    ("loss", "NEEDS = (1, 'model.score')", "NEEDS = (1, 'model.score') is no fact"),
    ("loss", "LADDER = [1]", "LADDER = [1] is no fact of a loss (allowed: text)"),
    ("loss", "LEVELS = ['a']", "LEVELS = ['a'] is no fact"),
    ("loss", "TUNES = ('a',)", "TUNES = ('a',) is no fact of a loss (allowed: a dictionary whose values are tuples of numbers)"),
    ("loss", "TUNES = {'b': (1.0,)}", "TUNES = {'b'} does not hold names of these (allowed: a)"),
    ("sampler", "STEPS_A_LEVEL = [1]", "STEPS_A_LEVEL = [1] is no fact of a sampler (allowed: text)"),
    ("sampler", "STEPS_A_LEVEL = 'a'", "STEPS_A_LEVEL = {'a'} does not hold names of these (allowed: none)"),
    ("sampler", "PEERS = ('jax',)", "PEERS = ('jax',) is no fact"),
    ("sampler", "ENDS = 'no'", "ENDS = 'no' is no fact of a sampler (allowed: True or False)"),
    ("model", "GIVES = 'score'", "GIVES = 'score' is no fact"),
    ("model", "BY_FILE = {'a'}", "BY_FILE = {'a'} is no fact"),
    ("metric", "ABOUT = 'samples'", "ABOUT = 'samples' is no fact of a metric (allowed: 'sampler' or 'source')"),
    ("metric", "DIRECTION = 'up'", "DIRECTION = 'up' is no fact of a metric (allowed: 'lower', 'higher' or 'none')"),
    ("metric", "DIRECTION, FLOOR = 'lower', True", "the file does not say DIRECTION, as a literal (allowed: 'lower', "),
    ("metric", "DIRECTION = 'lower'", "the file does not say FLOOR, as a literal (allowed: True or False)"),
    ("claim", "CONDITIONS = ['always']", "CONDITIONS = ['always'] is no fact"),
    ("claim", "USES = {'targets': ('gaussian',)}", "USES = {'targets'} does not hold names of these (allowed: target, "),
    ("figure", "USES = ['target']", "USES = ['target'] is no fact"),
    ("figure", "READS = 'metrics.csv'", "READS = 'metrics.csv' is no fact"),
    ("target", "EXAMPLES = 3", "EXAMPLES = 3 is no fact"),
]


@pytest.mark.parametrize(("kind", "fact", "said"), FACTS_OF, ids=[f"{kind}: {fact}" for kind, fact, _ in FACTS_OF])
def test_facts_of_another_type_are_said(package, kind, fact, said):
    """When the file is read, where a plan would end with them."""
    (package / registry.FOLDERS[kind] / "broken.py").write_text(f"{fact}\ndef broken(*, a: Positive = 1.0):\n    pass\n")
    forget()
    error = registry.entry(kind, "broken").error
    assert error is not None and error.startswith(f"ValueError: {said}")


def test_a_file_without_its_method_says_so(package, monkeypatch):
    (package / "losses/empty.py").write_text('"""Nothing."""\n')
    monkeypatch.setattr(registry.importlib, "import_module", lambda name: registry)
    with pytest.raises(InputError, match="defines no function or class called like the file"):
        registry.method("loss", "empty")


WORDS = ["a|b", "1", "1e5", "true", "null", "nan", "inf", "é", "a b", "a=b", "a:b", "<b>", "$x$", "\\\\end", "x" * 300, "BAOAB", "baoab"]


def test_any_word_is_an_option(package):
    """Text that reads as a number, a truth or a list elsewhere; each is its own text, and a file of its own where upper and lower case are one."""
    (package / "losses/worded.py").write_text(
        f"LABEL = '{{word}}'\ndef worded(*, word: Literal{WORDS!r} = 'baoab'):\n    pass\n", encoding="utf-8"
    )
    specs = [parse("loss", f"worded:word={word}") for word in WORDS]
    assert [spec.options["word"] for spec in specs] == [spec.label for spec in specs] == WORDS
    assert all(parse("loss", str(spec)) == spec for spec in specs)
    assert len({spec.slug.lower() for spec in specs}) == len(WORDS) and all(len(spec.slug) < 100 for spec in specs)


@pytest.mark.parametrize("names", [("mine/denoising", "denoising"), ("Sum", "sum"), ("ours/sum", "theirs/SUM")])
def test_two_files_of_one_name_are_told(package, names):
    """No file hides another, here or where upper and lower case are one; the other methods are as they were."""
    for name in names:
        path = package / f"losses/{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"def {path.stem}():\n    pass\n")
    forget()
    for name in names:
        error = registry.entry("loss", name.rpartition("/")[2]).error
        assert error and error.startswith("its name is that of 2 files: ") and all(f"losses/{n}.py" in error for n in names)
    assert registry.entry("loss", "sliced").error is None and registry.names("loss").count("denoising") == 1


def test_metrics_of_one_label_stay_apart(package):
    """In the tables of a run each has its own column, or row, and its own numbers."""
    for name in ("first", "second"):
        (package / f"metrics/{name}.py").write_text(
            f"LABEL = 'the same'\nDIRECTION = 'lower'\nFLOOR = False\nLOG = False\ndef {name}():\n    pass\n"
        )
    forget()
    rows = [
        {"target": "gaussian", "sampler": "ula", "metric": name, "mean": mean, "seeds": 3}
        for name, mean in (("first", 1.0), ("second", 2.0))
    ]
    flags = {"leads": False, "best": False} | dict.fromkeys(("diverged", "failed", "timeout", "not_applicable"), 0)
    (shown,) = render.wide("samplers", SAMPLERS.frame([row | flags for row in rows])).map(str).to_dict("records")
    assert shown["the same (first)"] == "1" and shown["the same (second)"] == "2"
    alarms = [
        {"target": "gaussian", "metric": name, "fault": "shifted", "share": share} for name, share in (("first", 0.1), ("second", 0.9))
    ]
    seen = render.sensitivity(SENSITIVITY.frame(alarms)).map(str)
    assert dict(zip(seen["metric"], seen["shifted"], strict=True)) == {"the same (first)": "0.1", "the same (second)": "0.9"}


@pytest.mark.parametrize(("budgets", "fits"), [("[2, 4]", True), ("[3, 50]", True), ("[1, 50]", False), ("[2, 3]", False)])
@pytest.mark.parametrize("each", [2, "order", "rungs"])
def test_budgets_of_a_sampler_that_takes_two_gradients_a_step(package, tmp_path, each, budgets, fits):
    """Each is a step or more from the last, and the first from none: two that were one would be one state with two budgets."""
    option = {2: "", "order": "    order: Count = 2\n", "rungs": "    rungs: Falling = (2.0, 1.0)\n"}[each]
    (package / "samplers/twice.py").write_text(
        f"GRADIENTS = {each!r}\nclass Twice:\n    step_size: Tensor\n    temperature: Tensor\n{option}"
    )
    forget()
    path = tmp_path / "suite.yaml"
    block = f"{{samplers: [twice], step_sizes: [0.1], budgets: {budgets}}}"
    path.write_text(f"name: x\nseed: 1\nmetrics: [mmd]\nexperiments:\n  - {{target: gaussian, seeds: 2, exact: {block}}}\n")
    if fits:
        load(path)
        return
    with pytest.raises(InputError) as caught:
        load(path)
    (line,) = caught.value.lines
    assert line.endswith(
        f"exact[0].budgets = {budgets.strip('[]')}: sampler 'twice' takes 2 gradients a step (allowed: a step or more between them)"
    )
