"""Trials of a fit as a file: JSON, a line each, appended as they come; the first line says which fit they are of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from microgen.errors import OutputNotWritable, UnreadableFile

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = "microgen-trials"


class TrialsFile:
    """An open file of trials; no second fit can open it meanwhile.

    A new file begins with the identity of its fit. One that exists is gone on with when its fit is the same and
    `resume` is set. A last line that was cut short (a crash while writing) is dropped. Raises OutputNotWritable when it
    belongs to another fit, is in use, or exists and `resume` is not set; UnreadableFile when it is damaged, or holds
    something else, which is never overwritten.
    """

    def __init__(
        self, path: str | Path, identity: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []
        self._identity = json.loads(json.dumps({"format": NAME, **identity}, sort_keys=True))
        self._file = self._opened()
        try:
            self._begin(resume=resume, overwrite=overwrite)
        except BaseException:
            self.close()
            raise

    def append(self, row: Mapping[str, Any]) -> None:
        """One more trial, on the disk when this returns."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows.append(dict(row))

    def close(self) -> None:
        """Let others have it."""
        self._file.close()

    def __enter__(self) -> TrialsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self.rows:  # refused before its first trial: nothing to go on from
            with suppress(OSError):
                self.path.unlink()
        self.close()

    def _opened(self) -> IO[str]:
        try:
            file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - held while the fit runs
        except OSError as error:
            problem = error.strerror or error
            raise OutputNotWritable(f"{self.path} cannot be written ({problem}). Name another file.") from None
        if fcntl is not None:
            try:  # given back by the system, whatever ends this process
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise OutputNotWritable(
                    f"{self.path} is being written by another fit. Wait for its end, or name another file."
                ) from None
        return file

    def _begin(self, *, resume: bool, overwrite: bool) -> None:
        self._file.seek(0)
        text = _text(self._file, self.path)
        head, *lines = text.split("\n")
        found = _parsed(head, self.path, 1) if text.strip() else None
        if found is not None and found.get("format") != NAME:
            raise UnreadableFile(self.path, "holds no trials of a fit", remedy="Name another file for the trials.")
        if found is None or (overwrite and not resume):
            self._file.truncate(0)
            self._file.write(json.dumps(self._identity, sort_keys=True) + "\n")
            self._file.flush()
            return
        whole = lines[:-1]  # after the last line end there is nothing, or half a trial
        if found != self._identity:
            raise OutputNotWritable(
                f"{self.path} holds the trials of another fit (other input, flags, seed or version). "
                "Repeat the flags of that fit, name another file, or use --overwrite."
            )
        if not resume:
            raise OutputNotWritable(f"{self.path} exists. Use --resume to go on with it, or --overwrite.")
        self.rows = [_parsed(line, self.path, k) for k, line in enumerate(whole, 2)]
        kept = "\n".join([head, *whole]) + "\n"
        if kept != text:
            self._file.truncate(len(kept.encode()))


def _text(file: IO[str], path: Path) -> str:
    try:
        return file.read()
    except UnicodeDecodeError:
        raise UnreadableFile(path, "holds no trials of a fit", remedy="Name another file for the trials.") from None


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UnreadableFile(path, "is no trial of a fit", line=number, remedy="Name another file for the trials.")
    return row
