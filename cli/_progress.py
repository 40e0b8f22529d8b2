"""What a run says while it works, on stderr: bars with time left on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ._units import time_text

Progress = Callable[[float, str], None]

QUIET_SECONDS = 10.0
"""Without a terminal, at most one line in this time."""


class Reporter:
    """Writes to stderr only; says nothing but warnings when quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        """Time of each stage, in order."""
        self._start = time.perf_counter()

    @property
    def total(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._start

    def say(self, text: str = "") -> None:
        """A line for the reader."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """A line that is worth reading even when quiet."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Left column left aligned, the others right aligned."""
        widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
        for row in (head, *rows):
            cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
            self.say("  " + "  ".join(cells).rstrip())

    @contextmanager
    def stage(self, title: str, key: str) -> Iterator[Progress]:
        """One step of the run, timed under `key`; yields `progress(fraction, message)`."""
        start = time.perf_counter()
        try:
            if self.quiet:
                yield _ignore
            elif sys.stderr.isatty():
                with _bar(title) as progress:
                    yield progress
            else:
                yield _lines(title)
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - start
        self.say(f"{title}: {time_text(time.perf_counter() - start)}")


def _ignore(fraction: float, message: str) -> None:
    """Progress of a quiet run."""


def _lines(title: str) -> Progress:
    """Plain lines, at most one every few seconds, with the time left."""
    start = last = time.perf_counter()

    def progress(fraction: float, message: str) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= QUIET_SECONDS and 0 < fraction < 1:
            last = now
            left = (now - start) * (1 - fraction) / fraction
            print(f"  {title} {fraction:.0%}, {time_text(left)} left: {message}", file=sys.stderr, flush=True)

    return progress


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress as Bars, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[message]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=1.0, message="")
        yield lambda fraction, message: bars.update(task, completed=fraction, message=message)
