"""Hostile names: 40 of them, as names of suites and methods, as options, paths and columns, in suites and on the command line.

Each is refused in lines, or works. Nothing is executed and nothing is written but below results/: every name that could run something would make a file
called OWNED, and the folders around are compared before and after.

    python tests/faults/names.py
"""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import yaml

from scorebench import cli, stages
from scorebench.core import files, plugins, registry
from scorebench.core.errors import InputError
from scorebench.core.schema import OK
from scorebench.engine.process import Left
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

ROOT = Path(__file__).parents[2]
HOSTILE = [
    "../escape",
    "../../../../../../tmp/OWNED",
    "/tmp/OWNED",
    "~/OWNED",
    "a/../../b",
    "..",
    ".",
    "$(touch OWNED)",
    "`touch OWNED`",
    "${IFS}touch${IFS}OWNED",
    "a;touch OWNED",
    "a&&touch OWNED",
    "a|touch OWNED",
    "a>OWNED",
    "a\ntouch OWNED",
    "a\r\nb",
    "a'b",
    'a"b',
    "'; touch OWNED; '",
    "-rf",
    "--help",
    "%s%n",
    "%PATH%",
    "{wildcard}",
    "{0.__class__}",
    "{{x}}",
    "a\\b",
    "\\input{OWNED}",
    "$x_{1}^2$",
    "<script>alert(1)</script>",
    "&amp;",
    "=cmd|'/c calc'!A1",
    "ul\u0430",  # the Cyrillic letter
    "\u202egnp.exe",  # read from right to left
    "caf\u0065\u0301",
    "a\u200bb",
    "\x1b[31mred",
    "a\x00b",
    "n" * 300,
    "__import__('os').system('touch OWNED')",
]
SUITE = {
    "name": "hostile",
    "seed": 1,
    "metrics": ["mmd"],
    "experiments": [{"target": "gaussian", "seeds": 2, "exact": {"samplers": ["ula"], "step_sizes": [0.1], "chains": 16, "budgets": [5]}}],
}
DENSITY = """dim = 1


def log_prob(x):
    return -x.square().sum(-1) / 2


def sample(n, generator):
    import torch

    return torch.randn(n, 1, generator=generator)
"""
PLUGIN = registry.ROOT / "examples" / "tamed_ula.py"


def suites(name: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The suite with the name in each place where one can stand, and what place that is."""
    inside = SUITE["experiments"][0]  # type: ignore[index]
    for key, value in (
        ("name", name),
        ("device", name),
        ("metrics", [name]),
        ("metrics", [f"mmd:{name}=1"]),
        ("metrics", [f"mmd:fraction={name}"]),
        ("claims", [name]),
        ("figures", [name]),
        ("plugins", [name]),
        (name, 1),
    ):
        yield key, SUITE | {key: value}
    for key, value in (
        ("target", name),
        ("target", f"gaussian:{name}=2"),
        ("target", f"gaussian:dim={name}"),
        ("target", f"density:path={name}"),
        ("target", f"table:path={name}"),
        ("sources", {name: ["sliced"]}),
        ("sources", {"quadratic": [name]}),
        ("exact", inside["exact"] | {"samplers": [name]}),  # type: ignore[index]
        ("exact", inside["exact"] | {"grid": {name: [1]}}),  # type: ignore[index]
    ):
        yield f"experiments.{key}", SUITE | {"experiments": [inside | {key: value}]}  # type: ignore[operator]


def commands(name: str) -> list[tuple[str, ...]]:
    """Command lines with the name in each place."""
    return [
        ("list", name),
        ("list", "--plugin", name),
        ("check", name),
        ("check", name, "--kind", name),
        ("new", "sampler", name),
        ("new", name, "x"),
        ("new", "sampler", "x", "--folder", name),
        ("score", name, "--target", "gaussian"),
        ("score", "draws.npy", "--target", name),
        ("score", "draws.npy", "--target", "gaussian", "--metric", name),
        ("compare", "samplers", "--target", name, "--sampler", "ula"),
        ("compare", "samplers", "--target", "gaussian", "--sampler", name),
        ("compare", "losses", "--target", "gaussian", "--loss", name),
        ("compare", "losses", "--target", "gaussian", "--loss", "sliced", "--model", name),
        ("claims", name),
        ("reference", name),
        ("reference", "x.py", "--out", name),
        ("validate", "--suite", name),
        ("stage", name, "--suite", "good.yaml"),
        ("stage", "sample", "--suite", "good.yaml", "--job", name),
        ("summary", name),
        ("retry", name),
        ("verify", name),
        ("verify", "--write", name),
        ("readme", name),
        (name,),
    ]


def around(folder: Path) -> dict[str, str]:
    """Every file in the folders around a work folder, with a digest, but for what lies under results/."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "results" not in path.relative_to(folder).parts:
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return found | {place: "" for place in ("/tmp/OWNED", str(Path.home() / "OWNED")) if os.path.lexists(place)}


def forget() -> None:
    """As a new process knows nothing of a file from elsewhere."""
    plugins.files.clear()
    for function in (registry.entry, plugins.kind_of):
        function.cache_clear()
    files.look_in(Path())


def written_in(error: InputError) -> bool:
    """Whether each line is one that a terminal shows as it is."""
    return all(line.isprintable() and len(line) < 2_100 for line in error.lines)


def in_a_suite(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Each place, and "refused", "works" or what went wrong."""
    for place, suite in suites(name):
        (folder / "suite_.yaml").write_text(yaml.safe_dump(suite, allow_unicode=False), encoding="utf-8")
        try:
            plan = Plan(load(folder / "suite_.yaml"))
            outside = [
                f
                for stage in STAGES
                for job in plan.jobs(stage)
                for f in plan.outputs(stage, job)
                if ".." in f or f.startswith("/") or "{" in f
            ]
            yield place, f"files outside: {outside}" if outside else "works"
        except InputError as error:
            yield place, "refused" if written_in(error) else f"not shown as it is: {error.lines}"
        except Exception as error:
            yield place, f"a traceback: {error!r}"
        forget()


def on_the_command_line(name: str) -> Iterator[tuple[str, str]]:
    """Each command, and how it ended."""
    for command in commands(name):
        said = io.StringIO()
        said.reconfigure = lambda **_: None  # type: ignore[attr-defined]
        with (
            patch.object(sys, "argv", ["scorebench", *command]),
            patch.dict(os.environ),
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
        ):
            try:
                cli.main()
                ended = "works"
            except SystemExit as error:
                ended = "refused" if error.code else "works"
            except Exception as error:
                ended = f"a traceback: {error!r}"
        if "Traceback" in said.getvalue() or any(
            not line.isprintable() for line in said.getvalue().splitlines() if line.startswith("scorebench: ")
        ):
            ended = f"not in plain lines: {said.getvalue()[-500:]!r}"
        forget()
        yield " ".join(command)[:60], ended


def as_a_file(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """A density and a plugin of that name, and a table's column, each from the plan to the page."""
    for what in ("density", "plugin", "column"):
        work = Path(tempfile.mkdtemp(dir=folder))
        suite = yaml.safe_load(yaml.safe_dump(SUITE))
        try:
            if what == "density":
                (work / f"{name}.py").write_text(DENSITY, encoding="utf-8")
                suite["experiments"][0]["target"] = f"density:path={name}.py"
            elif what == "plugin":
                (work / f"{name}.py").write_bytes(PLUGIN.read_bytes())
                suite["plugins"] = [f"{name}.py"]
            else:
                rows = "\n".join(f"{n % 7},{n % 5}.5" for n in range(200))
                (work / "t.csv").write_text(f'"{name.replace(chr(34), chr(34) * 2)}",b\n{rows}\n', encoding="utf-8")
                suite["experiments"][0]["target"] = f"table:path=t.csv,columns={name}|b"
                suite["experiments"][0] |= {
                    "training": {"size": 100, "batch": 16, "steps": [5]},
                    "sources": {"quadratic": ["sliced"]},
                    "trained": suite["experiments"][0].pop("exact"),
                }
                suite |= {"figures": ["loss_comparison"], "metrics": ["mmd", "hyvarinen_score"]}
        except (OSError, ValueError):
            yield what, "no such file can be"
            continue
        before = around(work)
        (work / "suite_.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
        try:
            plan = Plan(load(work / "suite_.yaml"))
            for spec in plan.methods:
                files.keep(spec, work / "results/hostile/files")
            for stage in STAGES:
                for job in plan.jobs(stage):
                    stages.run(stage, plan, job, work / "results")
            rows = (work / "results/hostile/metrics.csv").read_text(encoding="utf-8")
            page = (work / "results/hostile/index.html").read_text(encoding="utf-8")
            ended = "works" if ",ok" in rows and "<script>alert(1)" not in page else f"no row is well: {rows[-400:]}"
            records = [
                p
                for p in (work / "results/hostile/timings").rglob("*.json")
                if '"status": "ok"' not in p.read_text(encoding="utf-8") and "not_applicable" not in p.read_text(encoding="utf-8")
            ]
            ended = ended if not records else f"{records[0].name}: {records[0].read_text(encoding='utf-8')[:400]}"
        except InputError as error:
            ended = "refused" if written_in(error) else f"not shown as it is: {error.lines}"
        except Exception as error:
            ended = f"a traceback: {error!r}"
        (work / "suite_.yaml").unlink()
        if what != "plugin" or ended != "works":
            ended = ended if around(work) == before else f"written: {set(around(work)) ^ set(before)}"
        forget()
        yield what, ended


@contextlib.contextmanager
def sandbox() -> Iterator[Path]:
    """A work folder deep in one that is looked over; jobs run here, without a process of their own."""

    def here(work, seconds, megabytes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        work()
        return Left(OK, 0.0, 0.0)

    with tempfile.TemporaryDirectory() as name, patch.object(stages, "isolated", here):
        folder, started = Path(name, "a/b/c"), os.getcwd()
        folder.mkdir(parents=True)
        os.chdir(folder)
        (folder / "good.yaml").write_text(yaml.safe_dump(SUITE), encoding="utf-8")
        (folder / "suite_.yaml").touch()
        try:
            yield folder
        finally:
            os.chdir(started)


def tried(names: list[str]) -> tuple[dict[str, int], list[str]]:
    """How often each end was met, and what went wrong."""
    ends: dict[str, int] = {}
    wrong: list[str] = []
    with sandbox() as folder:
        above = folder.parents[2]
        for name in names:
            before = around(above)
            before.pop(str(folder / "suite_.yaml"))
            tries = list(in_a_suite(name, folder)) + ([] if "\0" in name else list(on_the_command_line(name)))
            after = around(above)
            after.pop(str(folder / "suite_.yaml"))
            if after != before:
                wrong.append(f"{name!r}: files {set(after) ^ set(before)}")
            tries += as_a_file(name, folder)
            for place, ended in tries:
                if ended in ("refused", "works", "no such file can be"):
                    ends[ended] = ends.get(ended, 0) + 1
                else:
                    wrong.append(f"{name!r} as {place}: {ended}")
            if owned := [path for path in around(above) if path.endswith("OWNED")]:
                wrong.append(f"{name!r}: executed, or written to: {owned}")
    return ends, wrong


RUNS = "__import__('pathlib').Path('OWNED').touch()"
READ = {  # files of others that are read and not asked to run: code in each place where one is looked into
    "annotation": f"def my_sampler(*, x: {RUNS} = 1):\n    pass\nGRADIENTS = 1\n",
    "default": f"def my_sampler(*, x: Positive = {RUNS}):\n    pass\nGRADIENTS = 1\n",
    "fact": f"GRADIENTS = {RUNS}\nLABEL = '{{x.__class__}}'\ndef my_sampler():\n    pass\n",
    "body": f"GRADIENTS = 1\n{RUNS}\ndef my_sampler():\n    pass\n",
}


def read_and_not_run() -> Iterator[str]:
    """Where planning or listing a file ran it, or `list` does not say where the method comes from."""
    for what, text in READ.items():
        with sandbox() as folder:
            file = folder / "my_sampler.py"
            file.write_text(text, encoding="utf-8")
            (folder / "suite_.yaml").write_text(yaml.safe_dump(SUITE | {"plugins": ["my_sampler.py"]}), encoding="utf-8")
            load(folder / "suite_.yaml")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                cli.list_methods("samplers", [file], as_json=True)
            (listed,) = [e for e in json.loads(said.getvalue()) if e["name"] == "my_sampler"]
            if list(folder.rglob("OWNED")):
                yield f"{what}: it was run"
            if listed["from"] != f"file {file}":
                yield f"{what}: list says {listed['from']!r}"
            forget()


FILES = [name for name in HOSTILE if "/" not in name and "," not in name and "\0" not in name and 2 < len(name) < 100][::5]
"""Some of those that a file can have and a spec can name."""


def by_the_workflow() -> str:
    """Densities of every hostile name in one suite, run by Snakemake; what is wrong with that, "" if nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "a/b c")
        folder.mkdir(parents=True)
        for file in FILES:
            (folder / f"{file}.py").write_text(DENSITY, encoding="utf-8")
        (inside,) = SUITE["experiments"]  # type: ignore[misc]
        suite = SUITE | {"experiments": [inside | {"target": f"density:path={file}.py"} for file in FILES]}  # type: ignore[operator]
        (folder / "mine.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
        before = around(Path(name))
        command = ["-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile", "--configfile", "mine.yaml"]
        done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            return done.stderr[-600:]
        if written := {path for path in set(around(Path(name))) ^ set(before) if "/.snakemake" not in path}:
            return f"written: {written}"
        rows = (folder / "results/hostile/metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
        return "" if len(rows) >= 2 * len(FILES) and all(",ok" in row for row in rows) else "\n".join(rows[:3])


def main() -> int:
    """All of it, with counts; 1 if anything went wrong."""
    ends, wrong = tried(HOSTILE)
    wrong += read_and_not_run()
    if said := by_the_workflow():
        wrong.append(f"by Snakemake: {said}")
    for line in wrong:
        print(f"MISSED {line[:700]}")
    print(
        f"hostile names: {len(HOSTILE)}, in {sum(ends.values())} places: {ends}, {len(FILES)} of them as files by Snakemake; {len(wrong)} wrong"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
