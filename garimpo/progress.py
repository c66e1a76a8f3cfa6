"""A job's progress on stderr: a live bar in a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from garimpo.client import Body
from garimpo.terminal import make_printable


class Display:
    """Shows one job's bodies, as `with Display() as display: display.show(body)`."""

    def __init__(self, console: Console | None = None) -> None:
        """Prepare it; without a console of its own it writes to stderr."""
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=100)
        self._last_line = ""

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; the last state stays on the screen."""
        self._bar.stop()

    def show(self, body: Body) -> None:
        """Show a JobStart, JobStatus, JobResult or JobError: its message and its progress."""
        if body["status"] == "completed":
            self._bar.update(self._task, completed=100)
        elif "message" in body:
            self._tell(make_printable(str(body["message"])), body.get("progress") or 0)

    def trouble(self, reason: str) -> None:
        """Say that the API is away for now and that we ask on."""
        self._tell(f"The API does not serve ({make_printable(reason)}); asking again ...", None)

    def _tell(self, text: str, percent: int | None) -> None:
        self._bar.update(self._task, description=text, completed=percent)
        if not self._console.is_terminal and text != self._last_line:
            self._last_line = text
            share = "    " if percent is None else f"{percent:3d}%"
            self._console.print(f"{share} {text}", markup=False, highlight=False, soft_wrap=True)
