"""Display jobs' progress on stderr: live bars in a terminal, plain lines elsewhere."""

import time
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from garimpo.cli.output import make_printable
from garimpo.client.connection import Body

#: Before, a job starts its browser and logs in: that says nothing about its pages.
_FIRST_PROGRESS = 15

#: A place in the queue is told so long: nothing says when others' jobs move it.
_FRESH_S = 10.0


def estimate_left_s(body: Body) -> float | None:
    """Return the seconds that a job still needs, or waits for its turn; None if nobody can tell.

    A running job goes on as fast as it has gone so far. The times are the API's own, so that it
    does not matter when one begins to watch, nor whether clocks agree.
    """
    if body["status"] == "pending":
        wait_s: float | None = body.get("estimated_wait_seconds")
        return wait_s
    progress, started = body.get("progress") or 0, body.get("started_at")
    if body["status"] != "processing" or progress < _FIRST_PROGRESS or not started:
        return None
    waited = datetime.fromisoformat(started) - datetime.fromisoformat(body["created_at"])
    ran_s: float = body["elapsed_seconds"] - waited.total_seconds()
    return max(0.0, ran_s * (100 - progress) / progress)


def describe_remaining(body: Body, age_s: float = 0.0) -> str:
    """Say it in a few words; empty if there is nothing to say.

    Args:
        body: the job's.
        age_s: how long ago it came; an estimate that has run out is not told any more.
    """
    left_s = estimate_left_s(body)
    left = _write(left_s - age_s) if left_s and left_s > age_s else ""
    if body["status"] != "pending":
        return left and f"about {left} left"
    position = body.get("queue_position")
    is_fresh = age_s < _FRESH_S
    parts = [f"number {position} in the queue"] if position and is_fresh else []
    return ", ".join([*parts, f"starts in about {left}"] if left else parts)


def _write(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 90:  # noqa: PLR2004 - up to a minute and a half people count in seconds
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{whole / 3600:.1f} h"  # noqa: PLR2004 - the same


_now = time.monotonic


class _Left(ProgressColumn):
    """What a task's body says of the time that is left, less what has passed since."""

    def render(self, task: Task) -> Text:
        body, age_s = task.fields["body"], _now() - task.fields["at"]
        return Text(describe_remaining(body, age_s) if body else "", style="dim")


class ProgressDisplay:
    """Shows the bodies of jobs, as `with Display() as display: display.show(body)`."""

    def __init__(self, console: Console | None = None) -> None:
        """Prepare it; without a console of its own it writes to stderr."""
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _Left(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_lines: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; the last state stays on the screen."""
        self._bars.stop()

    def show(self, body: Body, name: str = "") -> None:
        """Show a JobStart, JobStatus, JobResult or JobError: its message and its progress.

        Args:
            body: the job's.
            name: which job it is, where there are several.
        """
        task = self._task_of(name)
        if body["status"] == "completed":
            self._end(task, f"{name}Done", 100)
        elif body["status"] == "failed":
            self._end(task, name + make_printable(str(body["error"])), body.get("progress"))
        elif "message" in body:
            percent = body.get("progress") or 0
            text = name + make_printable(str(body["message"]))
            self._bars.update(task, description=text, completed=percent, body=body, at=_now())
            self._print(name, f"{percent:3d}% {text}")

    def show_trouble(self, reason: str, name: str = "") -> None:
        """Say that the API is away for now and that we ask on."""
        text = f"{name}The API does not serve ({make_printable(reason)}); asking again ..."
        self._bars.update(self._task_of(name), description=text, body=None)
        self._print(name, f"     {text}")

    def show_hint(self, text: str) -> None:
        """Write a line of its own; bars stay below it. Any thread may call it."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _end(self, task: TaskID, text: str, share: int | None) -> None:
        self._bars.update(task, description=text, completed=share, body=None)
        self._bars.stop_task(task)

    def _task_of(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=100, body=None, at=0.0)
        return self._tasks[name]

    def _print(self, name: str, line: str) -> None:
        """Write a plain line, unless there are bars or it was the last one to be written."""
        if not self._console.is_terminal and line != self._last_lines.get(name):
            self._last_lines[name] = line
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
