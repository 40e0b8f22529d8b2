"""EDAX .ang text: read in its EDAX, EMsoft and ASTAR dialects, written with ten columns.

Columns φ1 Φ φ2 x y IQ CI phase (+ detector, fit, more), angles in radians, lengths in µm (ASTAR: nm). Not indexed is
a confidence index below 0 or an angle of 4π; ASTAR marks nothing and uses CI -1 otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.grid import HexGrid
from microgen.io.edax import FOUR_PI, Columns, make_points
from microgen.io.scan import EDAX, Claim, assemble, from_map_frame, tell_apart
from microgen.io.text import parse_table, read_lines
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import laue_group_from

NAME = "ang"
SUFFIXES = (".ang",)

TSL = {laue_group_from(tsl=code): code for code in (43, 23, 62, 6, 32, 3, 42, 4, 22, 2, 1)}
"""Laue group -> EDAX/TSL symmetry number."""
PHI1, PHI, PHI2, X, Y, IQ, CI, PHASE = range(8)


@dataclass(frozen=True)
class Header:
    """The `#` lines of a file."""

    path: Path
    entries: list[tuple[int, str, str]]
    """Line number, key in lower case, value."""
    text: str

    def number(self, key: str, kind: type[int] | type[float]) -> float | None:
        """Number in the last line of that key; None when there is none or it is not above 0."""
        line, value = next(((n, v) for n, k, v in reversed(self.entries) if k == key), (0, "0"))
        try:
            found = kind(value)
        except ValueError:
            problem = f"{key.upper()} is {value[:30]!r}, no number"
            raise UnreadableFile(self.path, problem, line=line, remedy="Correct it or leave the line out.") from None
        return found if 0 < found < float("inf") else None


def read(path: str | Path) -> Microstructure:
    """Read a scan. Raises UnreadableFile for damaged files."""
    path = Path(path)
    lines = read_lines(path)
    header, first = _header(path, lines)
    table = parse_table(path, lines, first, columns=8)
    phases = _phases(header)
    astar = "ACOM RES" in header.text
    scale = 1e-3 if astar else 1.0
    points, notes = make_points(path, _columns(table.values, scale), sorted(phases), use_ci=not astar, table=table)
    if astar:
        notes = ("ASTAR file: coordinates taken as nm, confidence -1 as indexed", *notes)
    ordered = tuple(phases[number] for number in sorted(phases))
    return assemble(points, ordered, frame=EDAX, claim=_claim(header, scale), notes=notes)


def _header(path: Path, lines: list[str]) -> tuple[Header, int]:
    """Header and index of the first data line."""
    comment = [line.lstrip().startswith("#") for line in lines]
    first = next((k for k, line in enumerate(lines) if line.strip() and not comment[k]), len(lines))
    if not any(comment[:first]):
        ctf = lines[0].startswith("Channel Text File")
        kind = "a Channel Text File (.ctf)" if ctf else "no .ang file: it has no # header"
        raise UnreadableFile(path, f"is {kind}", line=1, remedy="Check that the suffix fits the file.")
    entries = []
    for number, line in enumerate(lines[:first], start=1):
        words = line.strip().lstrip("#").split(None, 1)
        if words:
            entries.append((number, words[0].rstrip(":").lower(), words[1].strip() if len(words) > 1 else ""))
    return Header(path, entries, "\n".join(lines[:first])), first


def _claim(header: Header, scale: float) -> Claim:
    """What the header says of the grid; hexagonal rows have NCOLS_ODD and NCOLS_EVEN points in turn."""
    odd, even = (int(header.number(f"ncols_{name}", int) or 0) for name in ("odd", "even"))
    rows = int(header.number("nrows", int) or 0)
    step = tuple((header.number(f"{axis}step", float) or 0) * scale or None for axis in "xy")
    grid = next((value.lower() for _, key, value in header.entries if key == "grid"), "")
    hexagonal = True if grid.startswith("hex") else False if grid.startswith("sqr") else None
    points = (rows + 1) // 2 * odd + rows // 2 * even
    return Claim(step=(step[0], step[1]), points=points, columns=max(odd, even), rows=rows, hexagonal=hexagonal)


def _phases(header: Header) -> dict[int, Phase]:
    """Phases by their number in the phase column; EDAX may list them backwards, ASTAR without `Phase n` lines."""
    blocks: dict[int, dict[str, tuple[int, str]]] = {}
    block: dict[str, tuple[int, str]] = {}
    for line, key, value in header.entries:
        if key == "phase" and value.isdecimal() and len(value) < 6:
            block = blocks.setdefault(int(value), {})
        elif key == "materialname" and (not blocks or "materialname" in block):
            block = blocks.setdefault(max(blocks, default=0) + 1, {})
        if key in ("materialname", "formula", "symmetry", "latticeconstants"):
            block.setdefault(key, (line, value))
    if not blocks:
        remedy = "Add '# MaterialName ...' and '# Symmetry 43' (or the phase's own)."
        raise UnreadableFile(header.path, "its header names no phase", remedy=remedy)
    numbers = sorted(blocks)
    names = tell_apart([_name(header, blocks[n], n) for n in numbers])
    made = zip(numbers, names)
    return {n: Phase(name, _laue(header, blocks[n], name), _lattice(header, blocks[n])) for n, name in made}


def _name(header: Header, block: dict[str, tuple[int, str]], number: int) -> str:
    name = block.get("materialname", (0, ""))[1] or block.get("formula", (0, ""))[1] or f"phase {number}"
    # EMsoft writes the crystal file's path, `ferrite/ferrite`.
    return name.rsplit("/", 1)[-1] if "EMsoft" in header.text else name


def _laue(header: Header, block: dict[str, tuple[int, str]], name: str) -> str:
    line, value = block.get("symmetry", (None, ""))
    try:
        return laue_group_from(tsl=int(value))
    except ValueError:
        problem = f"the phase {name!r} has the symmetry {value[:20]!r}, which is no TSL number"
        remedy = f"Correct its '# Symmetry' line: one of {', '.join(map(str, TSL.values()))}."
        raise UnreadableFile(header.path, problem, line=line, remedy=remedy) from None


def _lattice(header: Header, block: dict[str, tuple[int, str]]) -> tuple[float, ...]:
    line, value = block.get("latticeconstants", (None, ""))
    try:
        lattice = tuple(float(word) for word in value.split()[:6])
    except ValueError:
        problem = "LatticeConstants are no numbers"
        raise UnreadableFile(header.path, problem, line=line, remedy="Correct the line or leave it out.") from None
    return lattice if len(lattice) == 6 else ()


def _columns(values: np.ndarray, scale: float) -> Columns:
    x, y = values[:, X] * scale, values[:, Y] * scale
    return Columns(values[:, [PHI1, PHI, PHI2]], x, y, values[:, CI], values[:, PHASE])


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the points of a map. A lattice that is not known gets numbers, as EDAX asks for some."""
    phases = {"phases"} if all(phase.lattice for phase in ms.phases) else set()
    return frozenset({"phase_id", "orientation", "measured", "spacing"} | phases)


def write(ms: Microstructure, path: str | Path) -> None:
    """Write a map in EDAX's ten columns, angles in EDAX's frame, points of the map only.

    Five decimals as EDAX has them, more for steps below 0.01 µm. Raises InvalidParameter for what is no map with
    phases and orientations.
    """
    if ms.grid.ndim != 2 or not ms.phases:
        raise InvalidParameter(
            "ms", expected="a plane map with phases", got=f"{ms.grid.ndim}-D, {len(ms.phases)} phases"
        )
    there = ms.grid.exists() if isinstance(ms.grid, HexGrid) else np.ones(ms.grid.shape, bool)
    if ms.measured is not None:
        there = there & ms.measured
    # Rows of the file are rows of the map: x fastest.
    order = np.flatnonzero(there.T)
    phase = ms.phase_id.T.ravel()[order].astype(np.float64)
    euler = from_map_frame(ms.point_orientation.swapaxes(0, 1).reshape(-1, 4)[order], EDAX)
    x, y = np.moveaxis(ms.grid.points().reshape(*ms.grid.shape, 2), (0, 1, 2), (2, 1, 0)).reshape(2, -1)[:, order]
    none = phase < 0
    euler[none] = FOUR_PI
    ci, fit = np.where(none, -1.0, 1.0), np.where(none, 180.0, 1.0)
    number = np.where(none, 0, phase + (len(ms.phases) > 1))
    digits = 5 + max(0, -math.floor(math.log10(min(ms.grid.spacing))) - 2)
    place = f"%{digits + 4}.{digits}f"
    form = f"%8.5f %8.5f %8.5f {place} {place} %6.1f %6.3f %d %d %.3f"
    table = np.column_stack([euler, x, y, np.where(none, 0.0, 100.0), ci, number, np.zeros_like(x), fit])
    np.savetxt(path, table, fmt=form, header=_header_text(ms, digits), comments="", encoding="utf-8")


def _header_text(ms: Microstructure, digits: int) -> str:
    lines = ["TEM_PIXperUM          1.000000", "x-star                0.500000", "y-star                0.500000"]
    lines += ["z-star                0.500000", "WorkingDistance       15.000000", ""]
    for number, phase in enumerate(ms.phases, start=1):
        name = " ".join(phase.name.split())
        lattice = "  ".join(f"{value:.4f}" for value in phase.lattice or (1, 1, 1, 90, 90, 90))
        lines += [f"Phase {number}", f"MaterialName  \t{name}", f"Formula  \t{name}", "Info"]
        lines += [
            f"Symmetry              {TSL[phase.laue_group]}",
            f"LatticeConstants      {lattice}",
            "NumberFamilies        0",
        ]
    columns, rows = ms.grid.shape
    counts = [columns, columns]
    if isinstance(ms.grid, HexGrid) and ms.grid.short:
        counts[ms.grid.shifted] -= 1
    kind = "HexGrid" if isinstance(ms.grid, HexGrid) else "SqrGrid"
    lines += [f"GRID: {kind}", *(f"{a}STEP: {h:.{digits + 1}f}" for a, h in zip("XY", ms.grid.spacing))]
    lines += [f"NCOLS_ODD: {counts[0]}", f"NCOLS_EVEN: {counts[1]}", f"NROWS: {rows}", ""]
    lines += ["OPERATOR: \tmicrogen", "", "SAMPLEID: \t", "", "SCANID: \t", ""]
    return "\n".join(f"# {line}".rstrip() for line in lines)
