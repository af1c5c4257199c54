"""A finished run as a Provenance Run Crate: what the profile says a crate MUST have is there, and every file that is named.

The musts of Process, Workflow and Provenance Run Crate 0.5 (Leo et al. 2024) as they are written, read with rocrate; then, where it can be installed and has a
network for the contexts of JSON-LD, by the profiles' own validator, which pins libraries of its own.

    python tests/faults/crate.py
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from rocrate.rocrate import ROCrate

ROOT = Path(__file__).parents[2]
PROFILES = ["process", "workflow", "provenance"]


def _kinds(entity: Any) -> list[str]:
    return entity.type if isinstance(entity.type, list) else [entity.type]


def _all(entity: Any, name: str) -> list[Any]:
    value = entity.get(name) or []
    return value if isinstance(value, list) else [value]


def wrong(archive: Path, folder: Path) -> list[str]:
    """What the crate in a zip file, unpacked into a folder, lacks."""
    with ZipFile(archive) as file:
        file.extractall(folder)
    crate = ROCrate(folder)
    by_kind: dict[str, list[Any]] = {}
    for entity in crate.get_entities():
        for kind in _kinds(entity):
            by_kind.setdefault(kind, []).append(entity)
    said: list[str] = []

    def must(holds: object, what: str) -> None:
        if not holds:
            said.append(what)

    conforms = {entity.id for entity in _all(crate.root_dataset, "conformsTo")}
    must(conforms >= {f"https://w3id.org/ro/wfrun/{name}/0.5" for name in PROFILES}, f"the root conforms to {conforms}")
    missing = [entity.id for entity in by_kind["File"] if not (folder / entity.id).is_file()]
    must(not missing, f"files that are named and not there: {missing}")
    workflow = crate.mainEntity
    included = re.findall('include: "(.+)"', (folder / "Snakefile").read_text(encoding="utf-8"))
    must(included and all((folder / name).is_file() for name in included), f"the workflow's own files: {included}")
    must({"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} <= set(_kinds(workflow)), "the workflow's types")
    steps, tools = _all(workflow, "step"), _all(workflow, "hasPart")
    must(steps and tools and workflow["programmingLanguage"], "the workflow's steps, tools and language")
    must(
        all("HowToStep" in _kinds(step) and step["workExample"] in tools for step in steps),
        "a step's workExample is a tool of the workflow",
    )
    (organised,) = by_kind["OrganizeAction"]
    run = organised["result"]
    must("SoftwareApplication" in _kinds(organised["instrument"]), "the engine")
    must(
        run["instrument"] == workflow and run in _all(crate.root_dataset, "mentions"),
        "the run's instrument is the workflow; the root mentions it",
    )
    controls, actions = _all(organised, "object"), [action for action in by_kind["CreateAction"] if action != run]
    must(len(controls) == len(actions) > 0, f"{len(controls)} ControlActions for {len(actions)} jobs")
    must({control["object"].id for control in controls} == {action.id for action in actions}, "a job has no ControlAction")
    must(all(control["instrument"] in steps for control in controls), "a ControlAction's instrument is a step")
    must(
        all(action["instrument"] in tools and _all(action, "result") and action["startTime"] and action["endTime"] for action in actions),
        "a job's facts",
    )
    must(all(control["instrument"]["workExample"] == control["object"]["instrument"] for control in controls), "step and job have one tool")
    for parameter in (*_all(workflow, "input"), *_all(workflow, "output")):
        examples = [entity for entity in by_kind["File"] if parameter in _all(entity, "exampleOfWork")]
        must("FormalParameter" in _kinds(parameter) and parameter["additionalType"] and examples, f"the parameter {parameter.id}")
    made = {result.id for action in actions for result in _all(action, "result")}
    read = {its.id for action in actions for its in _all(action, "object")} - {"suite.yaml"}
    must(read <= made, f"read and made by no job: {sorted(read - made)[:5]}")
    return said


def by_validator(folder: Path) -> str:
    """What the profiles' validator says, or why there is none."""
    with tempfile.TemporaryDirectory() as name:
        for command in ([sys.executable, "-m", "venv", name], [f"{name}/bin/pip", "install", "-q", "roc-validator"]):
            done = subprocess.run(command, capture_output=True, encoding="utf-8")
            if done.returncode:
                return f"not installed: {done.stderr.strip().splitlines()[-1:]}"
        check = ["-y", "validate", "--no-paging", "-p", "provenance-run-crate", "-l", "required", str(folder)]
        done = subprocess.run([f"{name}/bin/rocrate-validator", *check], capture_output=True, encoding="utf-8")
        text = " ".join((done.stdout + done.stderr).split())
        if "not known" in text or "Unable to retrieve" in text:
            return "not run: the contexts of JSON-LD are on the network"
        return "valid" if not done.returncode else f"INVALID: {text[-1_500:]}"


def main() -> int:
    """A run of the smoke suite, its crate, and what is wrong with that; 1 if anything is."""
    with tempfile.TemporaryDirectory() as name:
        suite = ROOT / "workflows/suites/smoke.yaml"
        command = ["-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(suite)]
        for arguments in (command, ["-m", "scorebench", "crate", "results/smoke"]):
            done = subprocess.run([sys.executable, *arguments], cwd=name, capture_output=True, encoding="utf-8")
            if done.returncode:
                print(f"MISSED {' '.join(arguments)}: {done.stderr[-800:]}")
                return 1
        said, validator = wrong(Path(name, "results/smoke.crate.zip"), Path(name, "crate")), by_validator(Path(name, "crate"))
    for line in said:
        print(f"MISSED {line}")
    print(f"crate: {len(said)} musts not met; roc-validator: {validator}")
    return int(bool(said) or validator.startswith("INVALID"))


if __name__ == "__main__":
    sys.exit(main())
