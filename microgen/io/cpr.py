"""Oxford/HKL Channel 5 maps: a .cpr text of [sections] and beside it a .crc of binary records, one a point.

A record is the phase (uint8), then the fields in the order of [Fields]: X, Y, three Euler angles (radians), MAD, band
contrast, band slope, unknown, bands, error, reliability; what comes after these codes has four bytes.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.hkl import Entry, make_phases, make_points
from microgen.io.scan import OXFORD, Claim, assemble
from microgen.io.text import read_lines
from microgen.microstructure import Microstructure

NAME = "cpr"
SUFFIXES = (".cpr", ".crc")

X, Y, EULER, BANDS = 1, 2, (3, 4, 5), 10
ONE_BYTE = (7, 8, 9, 10, 11)
MOST_FIELDS = 1000
COPY = "Copy both files again."

Sections = dict[str, dict[str, str]]


def read(path: str | Path) -> Microstructure:
    """Read a scan by either of its files. Raises UnreadableFile for damaged ones and when the other is missing."""
    cpr, crc = _pair(Path(path))
    sections = _sections(cpr)
    if "interactive" in sections.get("general", {}).get("jobmode", "").lower():
        raise UnsupportedFormat(f"{cpr}: JobMode Interactive is a list of points, not a map. Give a map.")
    phases, said = make_phases(cpr, _entries(cpr, sections))
    records = _records(cpr, crc, sections)
    claim = _claim(cpr, sections)
    euler = np.stack([_float64(records[f"f{code}"]) for code in EULER], axis=1)
    _check(crc, records["phase"], euler, count=len(phases))
    bands = records[f"f{BANDS}"] if f"f{BANDS}" in (records.dtype.names or ()) else None
    xy = _coordinates(cpr, records, claim)
    if sections.get("general", {}).get("description", "").startswith("Exported from MTEX"):
        xy, euler = _turned_back(xy, euler)
        said += ("exported from MTEX, whose maps are turned: turned back by 180° about x",)
    said += _surface(sections)
    points, notes = make_points(crc, xy, euler, phase=records["phase"], bands=bands, phases=phases)
    return assemble(points, phases, frame=OXFORD, claim=claim, notes=(*said, *notes))


def _pair(path: Path) -> tuple[Path, Path]:
    """Both files; suffixes may be in capitals."""
    found = {path.suffix.lower(): path}
    for other in sorted(path.parent.glob(f"{_literal(path.stem)}.*")):
        found.setdefault(other.suffix.lower(), other)
    for suffix in SUFFIXES:
        if suffix not in found:
            problem = f"{path.stem}{suffix} is not beside it"
            raise UnreadableFile(path, problem, remedy="A scan needs both its .cpr and its .crc file.")
    return found[".cpr"], found[".crc"]


def _literal(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)


def _sections(path: Path) -> Sections:
    """`[Section]` -> key -> value, names in lower case."""
    sections: Sections = {}
    section: dict[str, str] = {}
    for line in read_lines(path):
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = sections.setdefault(text[1:-1].lower(), {})
        elif "=" in text:
            key, _, value = text.partition("=")
            section[key.strip().lower()] = value.strip()
    if "fields" not in sections or "job" not in sections:
        raise UnreadableFile(path, "has no [Job] and [Fields]: it is no .cpr file", remedy="Check the suffix.")
    return sections


def _number(path: Path, sections: Sections, section: str, key: str) -> float:
    """A number that is not negative; 0 when it is missing. Raises UnreadableFile."""
    text = sections.get(section, {}).get(key, "") or "0"
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**53:
        raise UnreadableFile(path, f"{key} in [{section}] is {text[:30]!r}", remedy=COPY)
    return value


def _whole(path: Path, sections: Sections, section: str, key: str) -> int:
    return int(_number(path, sections, section, key))


def _entries(path: Path, sections: Sections) -> list[Entry]:
    count = _whole(path, sections, "phases", "count")
    names = [f"phase{k}" for k in range(1, min(count, 255) + 1)]
    if not names or any(name not in sections for name in names):
        raise UnreadableFile(path, f"announces {count} phases and does not describe them", remedy=COPY)
    entries = []
    for name in names:
        lattice = tuple(_number(path, sections, name, key) for key in ("a", "b", "c", "alpha", "beta", "gamma"))
        laue, space_group = (_whole(path, sections, name, key) for key in ("lauegroup", "spacegroup"))
        entries.append(Entry(sections[name].get("structurename", ""), laue, space_group, lattice))
    return entries


def _records(cpr: Path, crc: Path, sections: Sections) -> np.ndarray:
    """The points as they stand in the file, one named field a code (`f3` is the first Euler angle)."""
    count = _whole(cpr, sections, "fields", "count")
    codes = [_whole(cpr, sections, "fields", f"field{k}") for k in range(1, min(count, MOST_FIELDS) + 1)]
    if len(set(codes)) < len(codes) or not {*EULER} <= {*codes}:
        raise UnreadableFile(cpr, f"its [Fields] {codes[:20]} hold no Euler angles or a field twice", remedy=COPY)
    kinds = {code: "u1" if code in ONE_BYTE else "<f4" for code in codes}
    dtype = np.dtype([("phase", "u1"), *((f"f{code}", kind) for code, kind in kinds.items())])
    points = _whole(cpr, sections, "job", "noofpoints")
    size = crc.stat().st_size
    if size == 0 or size != points * dtype.itemsize:
        problem = f"holds {size} bytes; {points} points of {dtype.itemsize} bytes were announced by {cpr.name}"
        raise UnreadableFile(crc, problem, remedy=COPY)
    return np.fromfile(crc, dtype)


def _claim(path: Path, sections: Sections) -> Claim:
    columns, rows = (_whole(path, sections, "job", key) for key in ("xcells", "ycells"))
    both = _number(path, sections, "job", "griddist")
    step = [_number(path, sections, "job", f"griddist{axis}") or both or None for axis in "xy"]
    return Claim(step=(step[0], step[1]), points=columns * rows, columns=columns, rows=rows)


def _surface(sections: Sections) -> tuple[str, ...]:
    angles = [sections.get("acquisitionsurface", {}).get(f"euler{k}", "") for k in (1, 2, 3)]
    turned = any(angle.strip("0.,+-") for angle in angles)
    return ("the acquisition surface was turned (AcquisitionSurface): not applied",) if turned else ()


def _float64(values: np.ndarray) -> np.ndarray:
    # Damaged bytes may be signalling NaN, of which NumPy would warn; NaN are dealt with further on.
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def _coordinates(path: Path, records: np.ndarray, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """µm: the X and Y fields, or else rows one after the other."""
    if {f"f{X}", f"f{Y}"} <= {*(records.dtype.names or ())}:
        return _float64(records[f"f{X}"]), _float64(records[f"f{Y}"])
    if claim.points != len(records) or None in claim.step:
        problem = f"{len(records)} points do not make a map of {claim.columns} x {claim.rows} with step {claim.step}"
        raise UnreadableFile(path, problem, remedy="Export the map with its coordinates (X, Y).")
    index = np.arange(len(records))
    return index % claim.columns * (claim.step[0] or 1.0), index // claim.columns * (claim.step[1] or 1.0)


def _turned_back(
    xy: tuple[np.ndarray, np.ndarray], euler: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Map and angles after a turn of 180° about x.

    MTEX keeps a map in the frame x right, y up, and its exporter reverses the rows: the sample lies upside down in the
    file, angles and all. Turned back it equals the scan MTEX had read (and is the same material either way).
    """
    x, y = xy
    phi1, phi, phi2 = euler.T
    return (x, y.max() + y.min() - y), np.stack([np.pi - phi1, np.pi - phi, np.pi + phi2], axis=1)


def _check(path: Path, phase: np.ndarray, euler: np.ndarray, *, count: int) -> None:
    if phase.max() > count:
        problem = f"record {int((phase > count).argmax()) + 1} has phase {phase.max()} of {count}"
        raise UnreadableFile(path, problem, remedy=COPY)
    wild = (np.abs(euler) > 4 * math.pi + 0.01).any(axis=1) & (phase > 0)
    if wild.any():
        problem = f"record {int(wild.argmax()) + 1} has Euler angles beyond 4π"
        raise UnreadableFile(path, problem, remedy=COPY)
