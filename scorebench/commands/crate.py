"""`scorebench crate`: a finished run as a Provenance Run Crate, a zip file that archives take and machines read.

The profile is Workflow Run RO-Crate's third (Leo et al. 2024, version 0.5). The workflow is the Snakefile; each stage is a tool and a step of it; each job
is a CreateAction by its tool, on the files that it read and wrote, and a ControlAction by its step; Snakemake organises them in an OrganizeAction.
"""

import mimetypes
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from scorebench.core import registry, sealed
from scorebench.core.errors import InputError
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES, timing
from scorebench.suite.plan import Plan

PROFILES = [f"https://w3id.org/ro/wfrun/{name}/0.5" for name in ("process", "workflow", "provenance")] + [
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
]
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
SOURCES = ("workflows/*.smk", "workflows/environment.yaml", "requirements.lock", "pyproject.toml")
"""Beside the Snakefile, what the run rests on, where this is a checkout."""
RESULTS = ("manifest.json", "metrics.csv", "timings.csv", "index.html", "run.json")


def write(folder: Path, out: Path) -> int:
    """Write the crate of a suite's results; how many jobs are in it. Raises InputError where there is no finished run, or no rocrate."""
    try:
        from rocrate.model import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise InputError("a crate is made by the library rocrate (pip install -c requirements.lock -e '.[crate]')") from None
    results, root = Results(folder), registry.ROOT.parent
    plan, manifest = results.plan, results.manifest
    if not (root / "Snakefile").is_file():
        raise InputError(f"{root}: there is no Snakefile, which is the workflow of a crate (allowed: an editable install of a checkout)")
    records = list(_records(plan, folder))
    results.check()
    results.there("suite.yaml", *sorted(_files(plan, records)))
    crate = ROCrate(version="1.1")
    crate.name = f"scorebench: the suite {plan.suite.name}"
    crate.description = (
        f"A run of scorebench's suite {plan.suite.name}, seed {plan.suite.seed}, at commit {manifest.get('git_commit') or 'unknown'}."
    )
    crate.license = "https://spdx.org/licenses/MIT"
    crate.metadata.extra_contexts.append(TERMS)

    def entity(identifier: str, kind: str | list[str], **properties: Any) -> Any:
        return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))

    for profile in PROFILES:
        entity(profile, "CreativeWork", name=profile.split("/")[-2], version=profile.split("/")[-1])
    crate.root_dataset["conformsTo"] = [{"@id": profile} for profile in PROFILES]

    def file(path: Path, name: str) -> Any:
        kind = {".npz": "application/x-npz", ".md": "text/markdown", ".yaml": "application/yaml"}.get(path.suffix)
        return crate.add_file(path, name, properties={"encodingFormat": kind or mimetypes.guess_type(name)[0] or "text/plain"})

    files: dict[str, Any] = {}
    for name in sorted({*_files(plan, records), *RESULTS, "suite.yaml"}):
        if (folder / name).is_file():
            files[name] = file(folder / name, name)
    kept = [path for above in ("plugins", "files") for path in sorted((folder / above).rglob("*")) if path.is_file()]
    given = [files["suite.yaml"], *(file(path, path.relative_to(folder).as_posix()) for path in kept)] if "suite.yaml" in files else []

    facts = {"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], "name": "scorebench", "license": crate.license}
    version = results.facts("versions").get("snakemake", "unknown")
    workflow = crate.add_workflow(root / "Snakefile", "Snakefile", main=True, lang="snakemake", lang_version=version, properties=facts)
    for source in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        file(source, source.relative_to(root).as_posix())
    common = {"conformsTo": entity(PARAMETER, "CreativeWork", name="FormalParameter", version="1.0-RELEASE"), "additionalType": "File"}
    suite = entity("#suite", "FormalParameter", name="suite", valueRequired=True, **common)
    outputs = [entity(f"#{name}", "FormalParameter", name=name, **common) for name in RESULTS if name in files]
    for its in given[:1]:
        its["exampleOfWork"] = suite
    for output in outputs:
        files[output["name"]]["exampleOfWork"] = output
    workflow["input"], workflow["output"] = [suite], outputs

    done = [stage for stage in STAGES if any(record["stage"] == stage for record in records)]
    own = metadata.version("scorebench")
    tools = {s: entity(f"#tool-{s}", "SoftwareApplication", name=f"scorebench stage {s}", softwareVersion=own) for s in done}
    steps = {s: entity(f"#step-{s}", "HowToStep", name=s, position=str(n), workExample=tools[s]) for n, s in enumerate(done, 1)}
    workflow["hasPart"], workflow["step"] = list(tools.values()), list(steps.values())

    controls = []
    for record in records:
        stage, job = record["stage"], record["job"]
        name = f"{stage} {job}".strip()
        how = {"actionStatus": f"http://schema.org/{'CompletedActionStatus' if record['status'] == 'ok' else 'FailedActionStatus'}"}
        if record["status"] != "ok":
            how["error"] = f"{record['status']}: {record['reason']}"
        action = entity(f"#run-{stage}/{job}", "CreateAction", name=name, instrument=tools[stage], **_when(record), **how)
        action["object"] = [*given[:1], *(files[read] for read in plan.inputs(stage, job) if read in files)]
        action["result"] = [files[made] for made in plan.outputs(stage, job) if made in files]
        controls.append(
            entity(f"#control-{stage}/{job}", "ControlAction", name=f"orchestrate {name}", instrument=steps[stage], object=action)
        )
    whole = _when({"started": min(r["started"] for r in records), "ended": max(r["ended"] for r in records)})
    run = entity("#run", "CreateAction", name=f"run of the suite {plan.suite.name}", instrument=workflow, **whole)
    run["object"], run["result"] = given, [files[name] for name in RESULTS if name in files]
    run["actionStatus"] = "http://schema.org/CompletedActionStatus"
    engine = entity("#snakemake", "SoftwareApplication", name="Snakemake", softwareVersion=version)
    entity("#organise", "OrganizeAction", name="run by Snakemake", instrument=engine, object=controls, result=run, **whole)
    crate.root_dataset["mentions"] = [run]
    crate.write_zip(out)
    return len(records)


def _records(plan: Plan, folder: Path) -> Iterator[dict[str, Any]]:
    """What each job left of itself, in the order of the stages."""
    for stage in STAGES:
        for job in plan.jobs(stage):
            path = folder / timing(stage, job)
            if not path.is_file():
                raise InputError(f"{path}: there is no record of {stage} {job}".rstrip() + " (allowed: a run that has come to its end)")
            yield sealed.read(path)


def _files(plan: Plan, records: list[dict[str, Any]]) -> set[str]:
    return {made for record in records for made in plan.outputs(record["stage"], record["job"])}


def _when(record: dict[str, Any]) -> dict[str, str]:
    begin, end = (datetime.fromtimestamp(record[key], UTC).isoformat(timespec="seconds") for key in ("started", "ended"))
    return {"startTime": begin, "endTime": end}
