"""Signals that stop a run, raised where they can be: not where C code has called Python back.

No exception passes through C. Raised there it is printed and forgotten; LLVM, which asks Python for the code that was
compiled before, takes it for an answer and runs what is not there; and a compiled function that unpacks its arguments
goes on with an exception set.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType
from typing import Any

CALLED_BY_LLVM = ("_raw_object_cache_notify", "_raw_object_cache_getbuffer")
"""Functions of llvmlite that LLVM calls."""
LATER = 0.02  # seconds until a signal is sent again


@contextmanager
def stopping_signals() -> Iterator[None]:
    """SIGTERM stops a run as cleanly as Ctrl-C does: with KeyboardInterrupt. They can only be set in the main thread.

    Where Ctrl-C is ignored, as by background jobs of a shell, it stays so.
    """
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    try:
        before = {number: signal.signal(number, _interrupt) for number in numbers}
    except ValueError:
        yield
        return
    lost, sys.unraisablehook = sys.unraisablehook, _again(sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = lost
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not Python's


def was_interrupted(error: BaseException) -> bool:
    """Is it what Python makes of an interruption that compiled code did not look for?"""
    return isinstance(error, SystemError) and isinstance(error.__cause__, KeyboardInterrupt)


def _interrupt(_: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name in CALLED_BY_LLVM:
            _send_later()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _again(others: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook that has interruptions which were printed and forgotten come again."""

    def hook(lost: Any) -> None:
        if lost.exc_type is KeyboardInterrupt:
            _send_later()
        else:
            others(lost)

    return hook


def _send_later() -> None:
    timer = Timer(LATER, _send)
    timer.daemon = True
    timer.start()


def _send() -> None:
    if signal.getsignal(signal.SIGTERM) is _interrupt:  # the command has not ended meanwhile
        os.kill(os.getpid(), signal.SIGTERM)
