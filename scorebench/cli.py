"""The command line: `scorebench list | compare | new | check | validate | plan | reference | score | claims | stage | summary | retry | verify | ...`."""

import errno
import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from scorebench.core import files, registry
from scorebench.core.errors import InputError, of_surroundings, surroundings, unknown
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan
from scorebench.suite.reading import SUITES, load

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
compare = typer.Typer(no_args_is_help=True, help="Compare methods by hand, with the workflow's own loop and metrics.")
app.add_typer(compare, name="compare")

Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A file NAME.py with a method of your own; repeat it for another.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SuiteFile = Annotated[Path, typer.Option("--suite", envvar="SCOREBENCH_SUITE", help="A suite's YAML file.")]
Root = Annotated[Path, typer.Option("--results", help="The folder that holds every suite's results.")]


Usage: Any = typer.BadParameter.__mro__[1]
"""What typer raises of arguments that it cannot read, of which it exports this one kind."""
OF_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EPERM)
"""What a system says of a path that no file can have, that is of another kind, leads nowhere, or is not for this user: nobody else's mistake."""


def main() -> None:
    """Run the command line; wrong input is one line a mistake and exit code 2, never a traceback.

    On one thread, since sums on several have other last bits; a warning is told and no more, where the environment would have it an error, which
    a method would fail by; what a terminal cannot show is a question mark.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    if os.environ.pop("PYTHONWARNINGS", ""):
        warnings.simplefilter("default")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        if sys.flags.optimize > 1:
            raise InputError("Python runs without docstrings, which arviz-stats reads (allowed: no -OO and no PYTHONOPTIMIZE=2)")
        sys.exit(app(standalone_mode=False))
    except Usage as error:
        if not error.format_message():  # a command of commands alone is asked for help
            sys.exit(error.exit_code)
        _refused(
            InputError(f"{error.format_message().removesuffix('.')} (see {error.ctx.command_path if error.ctx else 'scorebench'} --help)")
        )
    except typer.Abort:
        sys.exit(1)
    except InputError as error:
        _refused(error)
    except OSError as error:
        if of_surroundings(error):
            _refused(surroundings(error))
        if error.errno not in OF_NAMES:
            raise
        _refused(InputError(f"{error.filename2 or error.filename!r}: {error.strerror}"))


def _refused(error: InputError) -> NoReturn:
    for line in error.lines:
        print(f"scorebench: {line}", file=sys.stderr)
    sys.exit(2)


@app.command("list")
def list_methods(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(registry.FOLDERS)}; all if none is said.")] = None,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """List the targets, models, losses, samplers, metrics, claims or figures, with their options, and which come from a file or package of others."""
    _add(plugin)
    known = {folder: k for k, folder in registry.FOLDERS.items()} | {k: k for k in registry.FOLDERS}
    if kind is not None and kind not in known:
        raise InputError(unknown("kind", kind, registry.FOLDERS))
    kinds = [known[kind]] if kind is not None else list(registry.FOLDERS)
    entries = [*(registry.entry(k, n) for k in kinds for n in registry.names(k)), *registry.unread()]
    if as_json:
        print(json.dumps([_described(e) for e in entries], indent=1, ensure_ascii=False))
        return
    from scorebench.commands.console import console_for, table

    listed = table("kind", "name", "options (default)", "what it is", "from")
    for e in entries:
        options = ", ".join(f"{k}" if o.default is registry.REQUIRED else f"{k}={o.default}" for k, o in e.options.items())
        listed.add_row(e.kind, e.name, options, e.error or e.summary, "" if e.origin == "scorebench" else e.origin)
    console_for().print(listed)


def _add(plugins: list[Path] | None) -> None:
    for path in plugins or ():
        registry.add(path)


def _described(e: registry.Entry) -> dict[str, object]:
    options = {
        k: {"type": o.annotation, "required": True} if o.default is registry.REQUIRED else {"type": o.annotation, "default": o.default}
        for k, o in e.options.items()
    }
    facts = {k.lower(): _jsonable(v) for k, v in e.facts.items()}
    return {"kind": e.kind, "name": e.name, "summary": e.summary, "from": e.origin, "options": options, **facts, "error": e.error}


def _jsonable(value: object) -> object:
    """A literal of a file, a set as a list; what JSON lacks as it is written."""
    if isinstance(value, set):
        return sorted(map(_jsonable, value), key=repr)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)
    return value


def _show(result: list[dict[str, Any]], kind: str, settings: str) -> None:
    from scorebench.commands.show import show

    show(result, kind, settings)


@compare.command("samplers")
def compare_samplers(
    target: Annotated[str, typer.Option(help="A target spec, for example gaussian_mixture:radius=4.")],
    sampler: Annotated[
        list[str],
        typer.Option(
            help="A sampler spec with its step size, for example ula:step_size=0.05, or without, which is searched for; repeat it."
        ),
    ],
    temperature: Annotated[
        float,
        typer.Option(
            help="T, a positive number: the samplers target p^(1/T). Gradients are counted at T = 1; at another there are metrics alone."
        ),
    ] = 1.0,
    steps: Annotated[int, typer.Option(help="Gradients that each chain takes, 1 to 1000000000: to arrive takes half at most.")] = 2_000,
    chains: Annotated[
        int,
        typer.Option(help="Chains that gradients are counted on, 16 to 1000000, rounded up to 40s; metrics take 128."),
    ] = 10_240,
    seeds: Annotated[int, typer.Option(help="Independent repeats of the metrics, 2 to 10000; their intervals are across them.")] = 5,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Run samplers on the exact score of a target: how many gradients each takes to be as near to it as is asked, which to take, and metrics at the end."""
    from scorebench.commands import compare as comparison
    from scorebench.commands.console import progress

    _add(plugin)
    result = comparison.samplers(target, sampler, temperature, steps, chains, seeds, progress)
    progress("", False)
    if as_json:
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        few = f"{min(chains, comparison.MOST)} chains and {seeds} seeds"
        _show(
            result,
            "sampler",
            f"{target}, T = {temperature:g}: after {steps} gradients a chain, {few}, from the target's prior (controls: from itself)",
        )
    if comparison.lost(result):
        sys.exit(1)


@compare.command("losses")
def compare_losses(
    target: Annotated[str, typer.Option(help="A target spec, for example gaussian_mixture:radius=4.")],
    loss: Annotated[list[str], typer.Option(help="A loss spec, for example denoising:sigma=0.2; repeat it for another.")],
    model: Annotated[str, typer.Option(help="A model spec, for example mlp_score or network:path=my_score.py.")] = "mlp_energy",
    steps: Annotated[
        int, typer.Option(help="Gradient steps at most, 1 to 1000000000: training ends where more are known not to pay.")
    ] = 1000,
    size: Annotated[int, typer.Option(help="Draws of the target to train on, 1 to 1000000000; of a table at most its rows.")] = 10_000,
    batch: Annotated[int, typer.Option(help="Of these draws, so many a step: 1 to 1000000000.")] = 128,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            help="A learning rate, a positive number; repeat it, and each loss takes its best, beyond them, too; 0.003 and 0.01 if none is said."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Independent repeats, 2 to 10000; intervals are across them.")] = 5,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Train a model with several losses on the same draws, each at the learning rate of its own sweep, and print intervals."""
    from scorebench.commands import compare as comparison

    _add(plugin)
    rates = sorted(rate or [3e-3, 1e-2])
    result = comparison.losses(target, model, loss, steps, size, batch, rates, seeds)
    if as_json:
        print(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        _show(result, "loss", f"{model} on {target}, {seeds} seeds: {comparison.how_trained(loss, steps, size, batch, rates)}")
    if comparison.lost(result):
        sys.exit(1)


@app.command()
def check(
    file: Annotated[list[Path], typer.Argument(help="A file with a method of your own, or several.")],
    kind: Annotated[
        str, typer.Option(help=f"What it is, where that does not follow from what the file defines: one of {', '.join(registry.FOLDERS)}.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the checks that rest on chance: another number, 0 or more, is another repeat.")] = 0,
    as_json: Json = False,
) -> None:
    """Run the contract tests of its kind over a method's file: a line a check, ok or what fails; exit code 1 if one does."""
    from scorebench.commands import check as checking

    findings: list[checking.Finding] = []
    for finding in checking.check(file, kind, seed):
        if not as_json:
            checking.show(finding, findings)
        findings.append(finding)
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=1, ensure_ascii=False))
    if not all(finding.passed for finding in findings):
        sys.exit(1)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(registry.FOLDERS)}.")],
    name: Annotated[str, typer.Argument(help="What it is called, and its file NAME.py: a Python identifier, for example my_sampler.")],
    folder: Annotated[Path, typer.Option(help="The folder, which is there, in which NAME.py is written.")] = Path("."),
) -> None:
    """Write a commented file of a kind that already passes `scorebench check`, to be changed into your own."""
    from scorebench.commands import new as writing

    path = writing.new(kind, name, folder)
    print(f"{path}: written; change it, then: scorebench check {path}")


@app.command()
def claims(
    claim: Annotated[
        list[str] | None, typer.Argument(help="Claims to test, by their names as scorebench list claims has them; all if none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many fresh master seeds, 1 to 1000000.")] = 20,
    first: Annotated[int, typer.Option(help="The first of them, 0 or more; the others follow it.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes at a time, 1 to 10000.")] = 2,
) -> None:
    """Test claims over fresh master seeds; exit code 1 if a verdict is not the registered one every time."""
    from scorebench.commands import repeats

    names = claim or registry.names("claim")
    lines = [unknown("claim", name, registry.names("claim")) for name in names if name not in registry.names("claim")]
    lines += [f"claim {name!r} is given twice" for name, number in Counter(names).items() if number > 1]
    numbers = (("seeds", seeds, 1, 10**6), ("first", first, 0, 2**62), ("workers", workers, 1, 10**4))
    lines += [f"--{k} {n} is not allowed (allowed: {least} to {most})" for k, n, least, most in numbers if not least <= n <= most]
    if lines:
        raise InputError(*lines)
    unstable = []
    for of_claim in repeats.repeats(names, range(first, first + seeds), workers):
        print("\n".join(repeats.lines(of_claim)), flush=True)
        if not repeats.holds(of_claim):
            unstable.append(of_claim[0].claim)
    print(f"{len(names) - len(unstable)} of {len(names)} claims have the registered verdict with every one of {seeds} master seeds")
    if unstable:
        sys.exit(1)


@app.command()
def validate(suite: SuiteFile) -> None:
    """Say what is wrong with a suite, a line a mistake, and look into the tables and densities that it names; nothing is trained or sampled."""
    from scorebench.commands import validate as looking

    plan = Plan(load(suite))
    looking.validate(plan)
    jobs = sum(len(plan.jobs(stage)) for stage in STAGES)
    print(f"{plan.suite.name}: {jobs} jobs")


@app.command()
def plan(
    suite: Annotated[str, typer.Argument(help="A suite of workflows/suites by its name, or a suite's YAML file.")],
    cores: Annotated[
        list[int] | None,
        typer.Option(help="A number of cores, 1 to 1000000000; repeat it. 1, as many as here are, 64 and 1024 if none is said."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a suite takes before anything starts: core-hours, disk, jobs, memory, and the time on so many cores; this machine's pace is measured."""
    numbers = cores or sorted({1, os.cpu_count() or 1, 64, 1024})
    most = 10**9
    known = {path.stem: path for path in sorted(SUITES.glob("*.yaml"))}
    lines = [f"--cores {number} is not allowed (allowed: 1 to {most})" for number in numbers if not 1 <= number <= most]
    if suite not in known and not Path(suite).is_file():
        lines.append(unknown("suite", suite, known) + ", or the path of a suite's YAML file")
    if lines:
        raise InputError(*lines)
    path = known.get(suite, Path(suite))
    asked = Plan(load(path))

    from scorebench.commands import plan as planning
    from scorebench.commands.validate import look_at

    look_at(asked)
    pace = planning.calibrated(path)
    rows = planning.needs(asked, numbers, pace)
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        planning.show(asked.suite.name, rows, pace)


@app.command()
def score(
    draws: Annotated[Path, typer.Argument(help="NPY, CSV or Parquet: (draws, d), taken as independent, or (chains, draws, d).")],
    target: Annotated[str, typer.Option(help="A target spec, for example gaussian_mixture:radius=4.")],
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric of samples; repeat it. Those of compare samplers if none is named.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="T, a positive number: the draws should be of p^(1/T).")] = 1.0,
    most: Annotated[int, typer.Option(help="Of the draws compare so many at most, 32 or more.")] = 5_000,
    plugin: Plugins = None,
    as_json: Json = False,
) -> None:
    """Measure draws that another program made: every metric with its interval and with what exact draws of that number give."""
    from scorebench.commands import score as scoring
    from scorebench.commands.compare import metrics_about
    from scorebench.commands.validate import look

    _add(plugin)
    where = parse("target", target)
    metrics = parse_all("metric", metric or metrics_about("sampler"))
    lines = [] if 0 < temperature < float("inf") else [f"--temperature {temperature} is not allowed (allowed: a positive number)"]
    lines += [] if most >= 32 else [f"--most {most} is not allowed (allowed: 32 or more)"]
    if lines:
        raise InputError(*lines)
    if of_sources := [str(its) for its in metrics if its.entry.facts.get("ABOUT", "sampler") != "sampler"]:
        raise InputError(*(f"--metric {name}: it is about a trained source, not about draws" for name in of_sources))
    look([where], 60.0, 4000.0)
    told, scored = scoring.score(draws, where, metrics, temperature, most)
    if as_json:
        print(json.dumps(scored, indent=1, ensure_ascii=False))
    else:
        scoring.show(told, scored, f"{target}, T = {temperature:g}")


@app.command()
def reference(
    file: Annotated[Path, typer.Argument(help="A density's Python file, as target density:path= takes it.")],
    out: Annotated[Path | None, typer.Option(help="Where the draws go: beside the file, NAME.reference.npy, if not said.")] = None,
    sampler: Annotated[str, typer.Option(help="An exact sampler, without its step size, which is tuned.")] = "hmc",
    chains: Annotated[int, typer.Option(help="Chains, 4 to 1000000.")] = 64,
    minutes: Annotated[float, typer.Option(help="When to give up: minutes, more than 0, up to 525600.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the random numbers, 0 or more.")] = 0,
    plugin: Plugins = None,
) -> None:
    """Make reference draws of a density: accepted with R-hat below 1.01 and 10,000 effective draws of every coordinate and its square, or refused."""
    from scorebench.commands import reference as making
    from scorebench.commands.validate import look

    _add(plugin)
    where = out or files.locate(str(file)).with_suffix(".reference.npy")
    making.checked(where, sampler, chains, minutes, seed)
    look([Spec("target", "density", (("path", str(file)),))], 60.0, 4000.0)
    made = making.write(file, where, sampler, chains, minutes, seed)
    if made.short:
        print("\n".join(f"scorebench: refused: {line}" for line in made.short), file=sys.stderr)
        sys.exit(1)
    print(making.shown(made, where, file))


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help=f"{', '.join(STAGES[:-1])} or {STAGES[-1]}.")],
    suite: SuiteFile,
    job: Annotated[
        list[str] | None, typer.Option(help="The job's id: the path of its output under the stage's folder. May be repeated.")
    ] = None,
    rests_on: Annotated[
        list[str] | None, typer.Option(help="A hash of what each job rests on, for its record: the workflow says it.")
    ] = None,
    results: Root = Path("results"),
) -> None:
    """Run one stage of the workflow by hand; the rules call exactly this."""
    if run := os.environ.get("SCOREBENCH_RUN"):
        from scorebench.engine.process import bound

        bound(int(run))
    from scorebench import stages

    jobs = job or [""]
    plan = Plan(load(suite), {timing(name, one): hashed for one, hashed in zip(jobs, rests_on or (), strict=False)})
    try:
        for one in jobs:
            stages.run(name, plan, one, results)
    except SystemExit as left:  # it was told to end: at once, what is imported need not be taken apart first
        sys.stderr.flush()
        os._exit(int(left.code or 0))


@app.command()
def summary(
    folder: Annotated[Path, typer.Argument(help="A suite's results, for example results/article.")],
    since: Annotated[
        float,
        typer.Option(help="When the run started, as date +%s prints: if every job ran since, keep what it cost; 0: do not."),
    ] = 0.0,
    cores: Annotated[int, typer.Option(help="On how many cores it ran, 1 or more.")] = 1,
) -> None:
    """Say in a few lines what a run found: the best loss and sampler a target, what diverged or failed, where the page is."""
    from scorebench.report.summary import show

    lines = [] if cores > 0 else [f"--cores {cores} is not allowed (allowed: 1 or more)"]
    if not 0 <= since < float("inf"):
        lines.append(f"--since {since:g} is not allowed (allowed: seconds since 1970, as date +%s prints)")
    if lines:
        raise InputError(*lines)
    show(folder, since, cores)


@app.command()
def retry(folder: Annotated[Path, typer.Argument(help="A suite's results, for example results/article.")]) -> None:
    """Remove what the jobs that failed or ran out of time wrote, and what rests on it: the next run does them again."""
    from scorebench.store.again import forget
    from scorebench.store.owner import own

    plan = Plan(load(folder / "suite.yaml"))
    own(str(folder), Path(".snakemake"))
    jobs = forget(plan, folder)
    print("\n".join([*(f"removed: {stage} {job}" for stage, job in jobs), f"{len(jobs)} to do again"]))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A suite's results, for example results/article.")],
    write: Annotated[bool, typer.Option("--write", help="Make this run the reference instead; nothing is compared.")] = False,
) -> None:
    """Compare a run with the reference in results/reference, cell by cell; exit code 1 if they disagree by more than chance."""
    from scorebench.report import verify as comparison

    if write:
        print(f"reference: {comparison.write_reference(folder)}")
    elif not comparison.show(folder):
        sys.exit(1)


@app.command()
def crate(
    folder: Annotated[Path, typer.Argument(help="A suite's results, for example results/article.")],
    out: Annotated[Path | None, typer.Option(help="The zip file: FOLDER.crate.zip, if not said.")] = None,
) -> None:
    """Write a finished run as a Provenance Run Crate: workflow, suite, every job with what it read and wrote, and when."""
    from scorebench.commands import crate as making

    where = out or Path(f"{folder if folder.name.strip('.') else folder.resolve()}.crate.zip")
    if where.is_dir():
        raise InputError(f"--out {str(where)!r}: is a folder (allowed: a zip file's path)")
    print(f"{where}: {making.write(folder, where)} jobs")


@app.command()
def readme(
    folder: Annotated[Path, typer.Argument(help="A suite's results, for example results/article.")],
    file: Annotated[Path, typer.Option(help="The README.")] = Path("README.md"),
) -> None:
    """Rewrite the parts of the README that come from a run's outputs."""
    from scorebench.report.readme import write_readme

    write_readme(folder, file)
