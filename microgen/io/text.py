"""Text files of numbers: decoding without trust in the encoding, and tables that name the line of their first fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile

CTRL_LIMIT = 4096
"""Bytes looked at to tell text from binary."""


def read_lines(path: Path) -> list[str]:
    """Lines of a text file; UTF-8 where it is, else Latin-1, in which every byte is a character.

    Raises UnreadableFile for empty and binary files.
    """
    raw = path.read_bytes()
    if not raw.strip():
        raise UnreadableFile(path, "is empty", remedy="Export or copy it again.")
    if b"\0" in raw[:CTRL_LIMIT] or raw.startswith(b"\x89PNG"):
        raise UnreadableFile(path, "is a binary file, text was expected", remedy="Check that the suffix fits the file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    # splitlines() would also split at form feeds and other characters that occur inside names.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@dataclass(frozen=True)
class Table:
    """Numbers of the data block of a text file."""

    path: Path
    values: np.ndarray
    """float64 [rows, columns]"""
    first: int
    """Index of the block's first line in `lines`."""
    lines: list[str]

    def line_of(self, row: int) -> int:
        """Number (from 1) of the line that holds `row`; blank lines hold none."""
        for number, line in enumerate(self.lines[self.first :], start=self.first + 1):
            row -= bool(line.strip())
            if row < 0:
                return number
        return len(self.lines)

    def refuse(self, bad: np.ndarray | np.bool_, problem: str, *, remedy: str = "") -> None:
        """Raise UnreadableFile at the first row where `bad` (bool [rows]) holds, if there is one."""
        if np.any(bad):
            raise UnreadableFile(self.path, problem, line=self.line_of(int(np.argmax(bad))), remedy=remedy)


def parse_table(path: Path, lines: list[str], first: int, *, columns: int) -> Table:
    """Table of the lines from index `first` on; every row has the same number of columns, `columns` at least.

    Raises UnreadableFile naming the first line that does not fit.
    """
    block = lines[first:]
    if not any(line.strip() for line in block):
        raise UnreadableFile(path, "holds a header and no data", remedy="Export the scan again, with its points.")
    try:
        values = np.loadtxt(block, ndmin=2, comments=None, dtype=np.float64)
    except ValueError:
        raise _fault(path, lines, first) from None
    if values.shape[1] < columns:
        problem = f"has {values.shape[1]} columns, at least {columns} were expected"
        raise UnreadableFile(path, problem, line=first + 1, remedy="Export the scan again with all columns.")
    return Table(path, values, first, lines)


def _fault(path: Path, lines: list[str], first: int) -> UnreadableFile:
    """What is wrong with the first line that is no row of numbers as long as the first."""
    expected = 0
    last = max(k for k, line in enumerate(lines) if line.strip())
    for number, line in enumerate(lines[first:], start=first):
        words = line.split()
        expected = expected or len(words)
        broken = next((word for word in words if not _is_number(word)), None)
        cut = number == last and (len(words) < expected or broken is not None)
        if cut:
            problem = "the last line is cut off"
        elif broken is not None:
            problem = f"{broken[:20]!r} is not a number"
        elif words and len(words) != expected:
            problem = f"has {len(words)} columns, {expected} were expected"
        else:
            continue
        return UnreadableFile(path, problem, line=number + 1, remedy="The file is damaged: export or copy it again.")
    return UnreadableFile(path, "its data block is not a table of numbers", remedy="Export or copy it again.")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word
