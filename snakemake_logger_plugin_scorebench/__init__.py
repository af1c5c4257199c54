"""How a run of the workflow looks: one progress bar in a terminal, a line each half minute or so elsewhere, every failure with its log.

Snakemake finds it by the module's name; `profiles/default` selects it. `--logger rich` or an empty `--logger` gives other views.

It is made before Snakemake reads `--configfile`, of which that would tell in tracebacks, and run the Python, where it says `__use_yte__`. So a suite is checked
here first.
"""

import argparse
import logging
import shutil
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from scorebench.core.errors import InputError
from scorebench.suite.reading import asked, load

MINUTES: dict[int, float] = {}
"""What each job should take, by its number; the Snakefile says it before the first one starts."""


NOTHING = "every result is up to date"
"""Why there is nothing to do; the Snakefile says otherwise where jobs have failed."""

LITTLE = 100.0
"""Megabytes left on a disk of which a failure is told with them: a log on it cannot say why."""

_shown: list["LogHandler"] = []


def close() -> None:
    """Take the bar away, as at an end that comes at once."""
    for handler in _shown:
        handler.close()


def check(arguments: list[str]) -> None:
    """End, with a line a mistake, where the suite that Snakemake's arguments name is none."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[])
    parser.add_argument("--config", "-C", nargs="*", default=[])
    known, _ = parser.parse_known_args(arguments)
    try:
        if known.configfile:
            load(asked(known.configfile, known.config))
        elif others := [setting for setting in known.config if not setting.startswith("suite=")]:
            asked((), others)
    except InputError as error:
        sys.exit("\n".join(f"scorebench: {line}" for line in error.lines))


class LogHandler(LogHandlerBase):
    """Snakemake's events to the terminal."""

    def __post_init__(self) -> None:
        """Start quietly: nothing is shown before there is something to do."""
        check(sys.argv[1:])
        self.console = Console(stderr=True, highlight=False)
        self.names: dict[int, str] = {}
        self.running: dict[int, float] = {}  # when each started
        self.done: set[int] = set()
        self.progress: Progress | None = None
        _shown.append(self)
        self.task = TaskID(0)
        self.total, self.started, self.shown_at, self.failed = 0, time.monotonic(), time.monotonic(), False

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one event; other messages are shown from warnings up."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and not self.common_settings.dryrun:
            self._start(record.stats["total"] - record.stats.get("all", 0))  # type: ignore[attr-defined]
        elif event == LogEvent.JOB_INFO:
            self.names[record.jobid] = record.rule_msg or record.rule_name  # type: ignore[attr-defined]
            if self.common_settings.dryrun:
                self.console.print(f"would run {self.names[record.jobid]}", soft_wrap=True)  # type: ignore[attr-defined]
            self._show()
        elif event == LogEvent.JOB_STARTED:
            jobs: Any = record.jobs  # type: ignore[attr-defined]
            self.running |= dict.fromkeys([jobs] if isinstance(jobs, int) else jobs or (), time.monotonic())
            self._show()
        elif event == LogEvent.JOB_FINISHED:
            job: int = record.job_id  # type: ignore[attr-defined]
            self.running.pop(job, None)
            if self.names.get(job) != "all":
                self.done.add(job)
                self._advance()
        elif event == LogEvent.JOB_ERROR:
            logs = getattr(record, "log", None) or []
            name = self.names.get(record.jobid, record.getMessage())  # type: ignore[attr-defined]
            self.console.print(f"[bold red]failed[/] {name}, see {' '.join(map(str, logs))}")
            left = shutil.disk_usage(".").free / 2**20
            if left < LITTLE and not self.failed:
                self.console.print(
                    f"the disk is full: {left:.1f} MB are left; make room and run again: what is done is kept", soft_wrap=True
                )
            self.running.pop(record.jobid, None)  # type: ignore[attr-defined]
            self.failed = True
        elif self.failed and record.levelno >= logging.ERROR:
            return  # the same failure again, as an exception
        elif record.levelno >= logging.WARNING and record.getMessage():
            self.console.print(record.getMessage(), markup=False)
        elif record.getMessage().startswith("Nothing to be done"):
            self.console.print(f"nothing to do: {NOTHING}", markup=False, soft_wrap=True)

    def _start(self, total: int) -> None:
        self.started = self.shown_at = time.monotonic()
        self.total = total
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.task = self.progress.add_task("", total=1.0, said="")
            self.progress.start()

    def _share(self) -> float:
        """How much of the work is done: jobs weigh what they should take, one that runs by the minutes that it has run."""
        ran = {job: (time.monotonic() - since) / 60 for job, since in self.running.items()}
        work = sum(MINUTES.get(job, 0.0) for job in self.done) + sum(min(m, MINUTES.get(job, 0.0)) for job, m in ran.items())
        return work / max(sum(MINUTES.values()), 1e-9)

    def _show(self) -> None:
        if self.progress:
            self.progress.update(self.task, description=self._now()[:60].ljust(60))

    def _now(self) -> str:
        return " · ".join(sorted(self.names.get(job, "") for job in self.running))

    def _advance(self) -> None:
        minutes, share = (time.monotonic() - self.started) / 60, self._share()
        said = f"{len(self.done)} of {self.total} jobs"
        left = f", about {minutes * (1 / share - 1):.1f} min left" if 0.01 < share < 0.99 else ""
        if self.progress:
            self.progress.update(self.task, completed=share, said=said + left)
            if len(self.done) >= self.total:
                self.close()
        elif time.monotonic() - self.shown_at > 25 or len(self.done) == self.total:
            self.shown_at = time.monotonic()
            now = f"; now {self._now()}" if self.running else ""
            self.console.print(f"{said}, {minutes:.1f} min{left}{now}", soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.progress:
            self.progress.stop()
            self.progress = None
        super().close()

    writes_to_stream = property(lambda self: True)
    writes_to_file = property(lambda self: False)
    has_filter = property(lambda self: True)
    has_formatter = property(lambda self: True)
    needs_rulegraph = property(lambda self: False)
