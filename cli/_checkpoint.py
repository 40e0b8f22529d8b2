"""A texture that takes long: its state is kept while it is made, and --resume goes on from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgen import Curvatubes
from microgen.errors import OutputNotWritable
from microgen.io.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint

from ._job import Run
from ._json import plain

EVERY = 20.0
"""Seconds between states."""


def place(job: Run) -> Path:
    """The file of the state."""
    return checkpoint_path(job.outputs.files[0])


def keeper(job: Run) -> Callable[[Any], None]:
    """Keeps the state that a flow hands over, now and then."""
    last = time.monotonic()

    def keep(state: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            write_checkpoint(state, place(job), identity=plain(job.identity()))
            last = time.monotonic()

    return keep


def start(job: Run) -> Any:
    """With --resume the state of this very run, where there is one; that of another run is an error."""
    if not job.common.resume or not place(job).is_file():
        return None
    fields, identity = read_checkpoint(place(job))
    if identity != plain(job.identity()):
        raise OutputNotWritable(
            f"{place(job)} comes from another run, so --resume cannot go on from it. "
            "Repeat the flags of that run, or remove the file."
        )
    state = Curvatubes.state(fields)
    job.reporter.say(f"going on from {place(job)}, step {state.step}")
    return state


def clear(job: Run) -> None:
    """The run is finished: its state is of no more use."""
    place(job).unlink(missing_ok=True)
