"""What diverges is a row, is counted, and never ahead by the seeds that are left. `make faults` runs the same suite by Snakemake."""

from pathlib import Path

from conftest import in_this_process
from faults.divergence import written, wrong

from scorebench import stages
from scorebench.core import plugins, registry
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load


def test_what_diverges_is_never_ahead(tmp_path: Path) -> None:
    plan = Plan(load(written(tmp_path)))
    with in_this_process():
        for stage in STAGES[:-1]:
            for job in plan.jobs(stage):
                stages.run(stage, plan, job, tmp_path)
    (tmp_path / "diverging/plugins").mkdir()
    (tmp_path / "lucky.py").rename(tmp_path / "diverging/plugins/lucky.py")
    found = wrong(tmp_path / "diverging")
    plugins.files.clear()
    registry.entry.cache_clear()
    assert not found, found
