"""What a run says while it goes on."""

import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_scorebench as plugin


def test_the_time_left_weighs_jobs_by_what_they_take(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs of 1, 1 and 8 minutes on two cores, the long one from the first minute on: after two minutes 3 of 10 are done, so that 4.7 are left.

    By counting jobs it would be 1.
    """
    now = 0.0
    monkeypatch.setattr(plugin.time, "monotonic", lambda: now)
    monkeypatch.setattr(plugin, "MINUTES", {1: 1.0, 2: 1.0, 3: 8.0})
    handler = plugin.LogHandler(SimpleNamespace(dryrun=False), None)

    def emit(event: LogEvent, **facts: object) -> None:
        record = logging.LogRecord("", logging.INFO, "", 0, "", (), None)
        vars(record).update(event=event, **facts)
        handler.emit(record)

    emit(LogEvent.RUN_INFO, stats={"train": 3, "all": 1, "total": 4})
    for job in (1, 2, 3):
        emit(LogEvent.JOB_INFO, jobid=job, rule_name="train", rule_msg=f"train source {job}")
    emit(LogEvent.JOB_INFO, jobid=0, rule_name="all", rule_msg=None)
    emit(LogEvent.JOB_STARTED, jobs=[1])
    now = 60.0
    emit(LogEvent.JOB_FINISHED, job_id=1)
    emit(LogEvent.JOB_STARTED, jobs=[2, 3])
    now = 120.0
    emit(LogEvent.JOB_FINISHED, job_id=2)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "1 of 3 jobs, 1.0 min, about 9.0 min left"
    assert second == "2 of 3 jobs, 2.0 min, about 4.7 min left; now train source 3"
    now = 540.0
    emit(LogEvent.JOB_FINISHED, job_id=3)
    emit(LogEvent.JOB_FINISHED, job_id=0)
    assert capsys.readouterr().err.splitlines() == ["3 of 3 jobs, 9.0 min"]
