"""The error tree. Every error names the parameter or file, what was expected, what came, and the remedy.

MicrogenError                       exit code 1 at the command line
├── InvalidParameter (ValueError)   2   a value the caller gave cannot be used
├── EnvironmentProblem              3   the machine lacks something: extra, device, memory, a writable folder
│   └── OutputNotWritable           3   the output cannot be written or already exists
├── UnreadableFile                  4   the file is missing, truncated or corrupt
├── UnsupportedFormat               4   the file is fine but of a kind that is not read or written
├── NoGrains                        4   the scan holds no grain to measure
├── NotConverged                    5   the solver stopped above the tolerance (the best result is kept)
├── TargetNotMet                    5   the sample misses its target
└── NotPrintable                    5   the surface is not closed
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class MicrogenError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors of worker processes arrive whole, though they are not made from the text they show."""
        return _remade, (type(self), self.args, self.__dict__.copy())


class InvalidParameter(MicrogenError, ValueError):
    """A value given by the caller cannot be used."""

    exit_code = 2

    def __init__(self, name: str, *, expected: str, got: object, remedy: str = "") -> None:
        self.name, self.expected, self.got, self.remedy = name, expected, got, remedy
        tail = f" {remedy}" if remedy else ""
        super().__init__(f"{name}: expected {expected}, got {got!r}.{tail}")


class EnvironmentProblem(MicrogenError):
    """The machine lacks something the run needs."""

    exit_code = 3


class OutputNotWritable(EnvironmentProblem):
    """An output path cannot be written, or exists and may not be overwritten."""


class UnreadableFile(MicrogenError):
    """A file is missing, empty, truncated or corrupt."""

    exit_code = 4

    def __init__(self, path: str | Path, problem: str, *, line: int | None = None, remedy: str = "") -> None:
        self.path, self.problem, self.line, self.remedy = Path(path), problem, line, remedy
        place = f", line {line}" if line is not None else ""
        tail = f" {remedy}" if remedy else ""
        super().__init__(f"{path}{place}: {problem}.{tail}")


class UnsupportedFormat(MicrogenError):
    """A file is intact but of a kind that is not read or written here."""

    exit_code = 4


class NoGrains(MicrogenError):
    """A scan holds no grain to measure."""

    exit_code = 4


class NotConverged(MicrogenError):
    """A solver stopped above its tolerance; `best` holds the best result so far."""

    exit_code = 5

    def __init__(self, message: str, *, best: object = None) -> None:
        self.best = best
        super().__init__(message)


class TargetNotMet(NotConverged):
    """A sample misses a target; `best` holds it."""


class NotPrintable(MicrogenError):
    """A surface is not closed, so it must not be written for printing."""

    exit_code = 5


def _remade(kind: type[MicrogenError], args: tuple[Any, ...], state: dict[str, Any]) -> MicrogenError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
