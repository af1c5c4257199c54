"""How a run of the workflow looks: one progress bar in a terminal, one line every tenth elsewhere, every failure with its log.

Snakemake finds it by the module's name; `profiles/default` selects it. `--logger rich` or an empty `--logger` gives other views.
"""

import logging
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


class LogHandler(LogHandlerBase):
    """Snakemake's events to the terminal."""

    def __post_init__(self) -> None:
        """Start quietly: nothing is shown before there is something to do."""
        self.console = Console(stderr=True, highlight=False)
        self.names: dict[int, str] = {}
        self.running: set[int] = set()
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self.tenth, self.started, self.failed = 0, time.monotonic(), False

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one event; other messages are shown from warnings up."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and not self.common_settings.dryrun:
            self._start(record.stats["total"])  # type: ignore[attr-defined]
        elif event == LogEvent.JOB_INFO:
            job = (getattr(record, "wildcards", None) or {}).get("job", "")
            stage = record.rule_name.replace("_", " ", 1)  # type: ignore[attr-defined]
            self.names[record.jobid] = f"{stage} {job}".strip()  # type: ignore[attr-defined]
            if self.common_settings.dryrun:
                self.console.print(f"would run {self.names[record.jobid]}")  # type: ignore[attr-defined]
            self._show()
        elif event == LogEvent.JOB_STARTED:
            jobs: Any = record.jobs  # type: ignore[attr-defined]
            self.running |= {jobs} if isinstance(jobs, int) else set(jobs or ())
            self._show()
        elif event == LogEvent.JOB_FINISHED:
            self.running.discard(record.job_id)  # type: ignore[attr-defined]
        elif event == LogEvent.PROGRESS:
            self._advance(record.done, record.total)  # type: ignore[attr-defined]
        elif event == LogEvent.JOB_ERROR:
            logs = getattr(record, "log", None) or []
            name = self.names.get(record.jobid, record.getMessage())  # type: ignore[attr-defined]
            self.console.print(f"[bold red]failed[/] {name}, see {' '.join(map(str, logs))}")
            self.failed = True
        elif self.failed and record.levelno >= logging.ERROR:
            return  # the same failure again, as an exception
        elif record.levelno >= logging.WARNING and record.getMessage():
            self.console.print(record.getMessage(), markup=False)
        elif record.getMessage().startswith("Nothing to be done"):
            self.console.print("nothing to do: every result is up to date")

    def _start(self, total: int) -> None:
        self.started = time.monotonic()
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.task = self.progress.add_task("", total=total)
            self.progress.start()

    def _show(self) -> None:
        if self.progress:
            self.progress.update(self.task, description=" · ".join(sorted(self.names.get(j, "") for j in self.running))[:60].ljust(60))

    def _advance(self, done: int, total: int) -> None:
        if self.progress:
            self.progress.update(self.task, completed=done, total=total)
            if done == total:
                self.close()
        elif 10 * done // total > self.tenth:
            self.tenth = 10 * done // total
            elapsed = time.monotonic() - self.started
            self.console.print(f"{done:4d} of {total} jobs, {elapsed / 60:.1f} min, about {elapsed / 60 * (total / done - 1):.1f} min left")

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
