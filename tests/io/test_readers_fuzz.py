"""Damaged scans: a typed error or a valid map comes out, never another exception and never much memory."""

from __future__ import annotations

import tempfile
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from test_cpr import CPR, records
from test_ctf import HEADER as CTF_HEADER, ROWS as CTF_ROWS
from test_edax_h5 import scan_file
from test_h5oina import map_file

from microgen import Microstructure
from microgen.errors import MicrogenError
from microgen.io import read

FUZZ = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
REAL = [
    "dialects/ebsdlib_Test_1.ang",
    "dialects/ebsdlib_HexHeader.ang",
    "mtex_ACOM.ang",
    "dialects/ebsdlib_Test_US_2.ctf",
    "dialects/ebsdlib_Test_European_1.ctf",
    "dialects/mtex_testdata_sqr.ctf",
]
WORDS = ["", "0", "-1", "nan", "inf", "-inf", "1e308", "1e-308", "123456789123456789", "9" * 5000, "0x10", "1_0", "1,5"]
WORDS += ["1.5.2", "--3", "é", "\0", "#", "Phase", "4.2e9", "0.1", "12.56637", "99", "\t", "1e400", "٣", "\x0c"]


def outcome(content: dict[str, bytes], name: str) -> Microstructure | None:
    """The map, or None after a typed error; anything else, warnings included, fails the test."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        for file, data in content.items():
            (Path(folder) / file).write_bytes(data)
        try:
            ms = read(Path(folder) / name)
        except MicrogenError:
            return None
    check(ms, sum(map(len, content.values())))
    return ms


def check(ms: Microstructure, size: int) -> None:
    """A map that can be worked with, not larger than its file allows."""
    assert ms.grid.size <= 50 * size + 1000
    assert np.isfinite(ms.grid.points()).all()
    assert ms.orientation is not None
    assert np.allclose(np.linalg.norm(ms.orientation, axis=-1), 1)
    assert ms.phase_id.min() >= -1
    assert ms.phase_id.max() < len(ms.phases)
    assert ms.notes


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, float, float, str]:
    """What is done, where in the file (as a share of its lines, and of the line), and with which word."""
    share = st.floats(0, 1, exclude_max=True)
    kind = draw(st.sampled_from(["word", "drop word", "drop line", "double", "swap", "cut", "insert", "byte"]))
    return kind, draw(share), draw(share), draw(st.sampled_from(WORDS) | st.text(max_size=6))


def damaged(text: str, kind: str, line: float, place: float, *, word: str) -> str:
    lines = text.split("\n")
    k, m = int(line * len(lines)), int(place * len(lines))
    words = lines[k].replace("\t", " \t ").split(" ") or [""]
    w = int(place * len(words))
    if kind == "word":
        words[w] = word
    elif kind == "drop word":
        del words[w]
    elif kind == "insert":
        words.insert(w, word)
    elif kind == "byte":
        words[w] = words[w][:-1] + (word[:1] or "x")
    elif kind == "cut":
        return "\n".join([*lines[:k], lines[k][: int(place * len(lines[k]))]])
    lines[k] = " ".join(words).replace(" \t ", "\t")
    if kind == "drop line":
        del lines[k]
    elif kind == "double":
        lines.insert(m, lines[k])
    elif kind == "swap":
        lines[k], lines[m] = lines[m], lines[k]
    return "\n".join(lines)


@pytest.mark.parametrize("name", REAL)
@FUZZ
@given(st.lists(damage(), min_size=1, max_size=4))
def test_mutated_real_scans(name: str, real_data: Path, damages: list[tuple[str, float, float, str]]) -> None:
    text = (real_data / "ebsd" / name).read_bytes().decode("latin-1")
    for kind, line, place, word in damages:
        text = damaged(text, kind, line, place, word=word)
    file = "scan" + Path(name).suffix
    outcome({file: text.encode("utf-8", "replace")}, file)


@pytest.mark.parametrize("name", [*REAL, "dialects/ebsdlib_Test_2.ang"])
@FUZZ
@given(share=st.floats(0, 1))
def test_scans_cut_anywhere_are_no_smaller_maps(name: str, real_data: Path, share: float) -> None:
    data = (real_data / "ebsd" / name).read_bytes()
    whole = read(real_data / "ebsd" / name)
    file = "scan" + Path(name).suffix
    ms = outcome({file: data[: int(share * len(data))]}, file)
    # ASTAR's header has no number of rows: a cut between two rows leaves a whole map.
    assert ms is None or ms.grid.shape == whole.grid.shape or "ACOM" in name


@FUZZ
@given(data=st.binary(max_size=400), suffix=st.sampled_from(["ang", "ctf", "cpr", "crc", "h5", "h5oina"]))
@example(data=b"Channel Text File\nPhase X", suffix="ctf")
@example(data=b"#\n1", suffix="ang")
def test_any_bytes(data: bytes, suffix: str) -> None:
    assert outcome({f"scan.{suffix}": data}, f"scan.{suffix}") is None


@FUZZ
@given(
    damages=st.lists(damage(), max_size=3), at=st.integers(0, 89), byte=st.integers(0, 255), size=st.integers(80, 100)
)
def test_mutated_cpr(damages: list[tuple[str, float, float, str]], at: int, byte: int, size: int) -> None:
    text, data = CPR, bytearray(records().tobytes())
    for kind, line, place, word in damages:
        text = damaged(text.replace("=", " = "), kind, line, place, word=word)
    data[at] = byte
    size = 90 if size % 3 else size
    outcome({"scan.cpr": text.encode("utf-8", "replace"), "scan.crc": bytes(data[:size])}, "scan.cpr")


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 10), st.sampled_from(WORDS)), min_size=1, max_size=3))
def test_strange_words_in_rows(changes: list[tuple[int, int, str]]) -> None:
    rows = [row.split("\t") for row in CTF_ROWS]
    for row, column, word in changes:
        rows[row][column] = word
    text = CTF_HEADER + "\n".join("\t".join(row) for row in rows)
    outcome({"scan.ctf": text.encode("utf-8")}, "scan.ctf")


@FUZZ
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20))
def test_mutated_h5(tmp_path: Path, flips: list[tuple[float, int]]) -> None:
    for suffix, path in (("h5", scan_file(tmp_path, "A", "B")), ("h5oina", map_file(tmp_path, slices=("1", "2")))):
        data = bytearray(path.read_bytes())
        for place, byte in flips:
            data[int(place * len(data))] = byte
        outcome({f"scan.{suffix}": bytes(data)}, f"scan.{suffix}")


@pytest.mark.parametrize("line", ["XCells\t3", "YCells\t3", "XStep\t0.5", "YStep\t0.5"])
@pytest.mark.parametrize("value", ["123456789123456789", "1e-9", "1e9", "99999999"])
def test_no_claim_of_a_header_is_allocated(tmp_path: Path, line: str, value: str) -> None:
    path = tmp_path / "scan.ctf"
    path.write_text(CTF_HEADER.replace(line, f"{line.split()[0]}\t{value}") + "\n".join(CTF_ROWS))
    tracemalloc.start()
    try:
        read(path)
    except MicrogenError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5e6
