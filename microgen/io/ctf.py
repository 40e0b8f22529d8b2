"""Oxford/HKL Channel Text Files (.ctf): tab separated, angles in degrees, lengths in µm, phase 0 = not indexed.

Numbers may have decimal commas, columns may be missing at the end of each row, and rows may be missing from the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.hkl import Entry, make_phases, make_points
from microgen.io.scan import OXFORD, Claim, assemble
from microgen.io.text import Table, parse_table, read_lines
from microgen.microstructure import Microstructure, Phase

NAME = "ctf"
SUFFIXES = (".ctf",)

COLUMNS = ("phase", "x", "y", "euler1", "euler2", "euler3")
EXPORT = "Export the scan again."


@dataclass(frozen=True)
class Header:
    """The lines above the data."""

    path: Path
    fields: dict[str, tuple[int, str]]
    """First word in lower case -> line number, rest of the line."""
    phases: list[Entry]
    columns: list[str]
    """Names in lower case."""
    first: int
    """Index of the first data line."""

    def number(self, key: str, kind: type[int] | type[float]) -> float | None:
        """The number of a line; None when it is missing or not above 0. Raises UnreadableFile."""
        line, text = self.fields.get(key, (0, "0"))
        try:
            value = kind(text.replace(",", ".") or 0)
        except ValueError:
            raise UnreadableFile(self.path, f"{key} is {text[:30]!r}, no number", line=line, remedy=EXPORT) from None
        return value if 0 < value < float("inf") else None


def read(path: str | Path) -> Microstructure:
    """Read a scan. Raises UnreadableFile for damaged files, UnsupportedFormat for lists of points and volumes."""
    path = Path(path)
    lines = read_lines(path)
    header = _header(path, lines)
    _check_kind(header)
    phases, said = make_phases(path, header.phases)
    columns = [header.columns.index(name) for name in COLUMNS]
    table = parse_table(path, _decimal_points(header, lines), header.first, columns=max(columns) + 1)
    phase, x, y, *angles = (table.values[:, c] for c in columns)
    _check(table, phase, np.stack([x, y]), np.stack(angles), phases)
    points, notes = make_points(
        path,
        (x, y),
        np.radians(np.stack(angles, axis=1)),
        phase=phase,
        bands=table.values[:, header.columns.index("bands")] if "bands" in header.columns[: max(columns)] else None,
        phases=phases,
        last_line=table.line_of(len(x) - 1),
    )
    notes = (*said, *_turned(header), *_small(angles, phase), *notes)
    return assemble(points, phases, frame=OXFORD, claim=_claim(header), notes=notes)


def _header(path: Path, lines: list[str]) -> Header:
    if not lines[0].strip().lower().startswith("channel text file"):
        kind = "an .ang file" if lines[0].startswith("#") else "no Channel Text File"
        raise UnreadableFile(path, f"is {kind}", line=1, remedy="Check that the suffix fits the file.")
    named = (k for k, line in enumerate(lines) if line.lower().split()[:2] == ["phase", "x"])
    titles = next(named, None)
    if titles is None:
        raise UnreadableFile(path, "its header ends early: no line of column names", line=len(lines), remedy=EXPORT)
    fields = {}
    for number, line in enumerate(lines[:titles], start=1):
        key, _, rest = line.replace("\t", " ").strip().partition(" ")
        fields[key.lower()] = (number, rest.strip())
    columns = lines[titles].lower().split()
    if missing := [name for name in COLUMNS if name not in columns]:
        raise UnreadableFile(path, f"has no column {missing[0]}", line=titles + 1, remedy=EXPORT)
    return Header(path, fields, _entries(path, lines, fields, titles), columns, titles + 1)


def _entries(path: Path, lines: list[str], fields: dict[str, tuple[int, str]], titles: int) -> list[Entry]:
    """The phases: `a;b;c  alpha;beta;gamma  name  Laue group  space group ...`, tab separated."""
    start, count = fields.get("phases", (0, ""))
    if not start or count.strip() != str(titles - start):
        problem = f"announces {count[:20]!r} phases and lists {titles - start if start else 0}"
        raise UnreadableFile(path, problem, line=start or None, remedy=EXPORT)
    entries = []
    for number, line in enumerate(lines[start:titles], start=start + 1):
        words = line.split("\t")
        try:
            lattice = tuple(float(n.replace(",", ".")) for word in words[:2] for n in word.split(";"))
            laue, space_group = (int(word.strip() or 0) for word in (*words[3:5], "")[:2])
            entries.append(Entry(words[2], laue, space_group, lattice, number))
        except (ValueError, IndexError):
            raise UnreadableFile(path, "is no description of a phase", line=number, remedy=EXPORT) from None
    return entries


def _check_kind(header: Header) -> None:
    """Refuse what is no plane map."""
    if "interactive" in header.fields.get("jobmode", (0, ""))[1].lower():
        raise UnsupportedFormat(f"{header.path}: JobMode Interactive is a list of points, not a map. Give a map.")
    if (header.number("zcells", int) or 0) > 1 or "z" in header.columns:
        raise UnsupportedFormat(
            f"{header.path}: is a volume (ZCells, column Z), a plane map was expected. Give one slice."
        )


def _decimal_points(header: Header, lines: list[str]) -> list[str]:
    """The lines with decimal points in the data block. Both signs in it would be ambiguous: thousands or decimals."""
    block = lines[header.first :]
    comma = next((k for k, line in enumerate(block) if "," in line), None)
    if comma is None:
        return lines
    point = next((k for k, line in enumerate(block) if "." in line), None)
    if point is not None:
        problem = "decimal points and commas are mixed"
        raise UnreadableFile(header.path, problem, line=header.first + 1 + max(comma, point), remedy=EXPORT)
    return lines[: header.first] + [line.replace(",", ".") for line in block]


def _check(table: Table, phase: np.ndarray, xy: np.ndarray, angles: np.ndarray, phases: tuple[Phase, ...]) -> None:
    table.refuse(~np.isfinite(xy).all(axis=0), "a coordinate is no number", remedy=EXPORT)
    known = np.isin(phase, np.arange(len(phases) + 1))
    table.refuse(~known, "its phase is not in the header", remedy=EXPORT)
    table.refuse((np.abs(angles) > 720).any(axis=0) & (phase > 0), "an Euler angle is beyond 720°", remedy=EXPORT)


def _claim(header: Header) -> Claim:
    columns, rows = (int(header.number(key, int) or 0) for key in ("xcells", "ycells"))
    step = (header.number("xstep", float), header.number("ystep", float))
    return Claim(step=step, points=columns * rows, columns=columns, rows=rows)


def _turned(header: Header) -> tuple[str, ...]:
    """HKL states how the acquisition surface lies in the sample; angles and map are both in the surface's frame."""
    angles = [header.fields.get(f"acqe{k}", (0, ""))[1] for k in (1, 2, 3)]
    turned = any(angle.strip("0.,+-") for angle in angles)
    return ("the acquisition surface was turned (AcqE1-3): not applied",) if turned else ()


def _small(angles: list[np.ndarray], phase: np.ndarray) -> tuple[str, ...]:
    """A warning when the angles look like radians, which some programs write in spite of the format."""
    seen = np.stack(angles)[:, phase > 0]
    spread = seen.std(axis=1).max(initial=0) if seen.size else 0.0
    small = spread > 0.3 and seen.min() >= 0 and seen.max() <= 2 * np.pi
    return ("all Euler angles are below 6.29: were radians written? They are read as degrees",) if small else ()
