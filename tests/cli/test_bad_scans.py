"""Scans that cannot be used: a typed error that names the file, nothing written, exit code 4."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Microstructure, Phase, write

SCAN = Path(__file__).parents[2] / "data" / "dual_phase.ang"
HEADER = re.compile(r"(?:#[^\n]*\n)+")


def text() -> str:
    return SCAN.read_text(encoding="utf-8")


def header() -> str:
    found = HEADER.match(text())
    assert found
    return found[0]


def points(index: str, x: int = 12, y: int = 12) -> str:
    """A square map of one orientation with the given confidence index; its header tells the counts."""
    counts = {"NCOLS_ODD": x, "NCOLS_EVEN": x, "NROWS": y}
    top = header()
    for name, n in counts.items():
        top = re.sub(rf"# {name}: \d+", f"# {name}: {n}", top)
    rows = [f"1.0 1.0 1.0 {0.5 * i:.3f} {0.5 * j:.3f} 100.0 {index} 1 1 1.0" for j in range(y) for i in range(x)]
    return top + "\n".join(rows) + "\n"


CASES = {
    "empty": b"",
    "header only": header().encode(),
    "truncated": text().encode()[: len(text()) // 2],
    "not text": bytes(range(256)) * 40,
    "another file": b"%PDF-1.7 nothing to see here\n",
    "word in the numbers": text().replace("\n", "\noops ", 200).encode(),
    "all points not indexed": points("-1").encode(),
    "one grain": points("0.9").encode(),
}


@pytest.mark.parametrize("content", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("suffix", [".ang", ".ctf"])
def test_unusable_scans_are_4_and_named(content: bytes, suffix: str, microgen) -> None:
    scan = Path(f"scan{suffix}")
    scan.write_bytes(content)
    done = microgen("polycrystal", "--ebsd", scan)
    assert done.code == 4
    assert "scan" in done.err
    assert done.out == ""
    assert os.listdir() == [scan.name]


@pytest.mark.parametrize(
    ("name", "code"), [("missing.ang", 4), (".", 4), ("scan.txt", 4), ("scan", 4), ("scan.osc", 4)], ids=str
)
def test_files_that_are_no_scans_are_4(name: str, code: int, microgen) -> None:
    if name.startswith("scan"):
        Path(name).write_text("1 2 3\n")
    assert microgen("polycrystal", "--ebsd", name, "--out", "rve.tif").code == code
    assert not Path("rve.tif").exists()


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 12)], ids=["plane", "volume"])
def test_solid_and_void_are_no_scan(shape: tuple, microgen) -> None:
    full = np.indices(shape).sum(axis=0) % 5 > 2
    solid = Microstructure(Grid(shape, (1.0,) * len(shape)), np.where(full, 0, -1).astype(np.int16), (Phase("solid"),))
    write(solid, "solid.tif")
    done = microgen("polycrystal", "--ebsd", "solid.tif", "--out", "a.tif")
    assert done.code == 4
    assert "no map of orientations" in done.err


def test_a_scan_without_grains_is_still_described(microgen) -> None:
    Path("scan.ang").write_text(points("-1"))
    done = microgen("info", "scan.ang")
    assert done.code == 0
    assert "0.0% indexed" in done.out


def test_too_many_min_pixels_leave_no_grain(microgen) -> None:
    done = microgen("polycrystal", "--ebsd", SCAN, "--min-pixels", 100000)
    assert done.code == 4
    assert "points    32256" in done.err
