"""Neper: the layout of its manual, word for word; what was written comes back; its own descriptors; damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import PHASES, polycrystal

from microgen import read, write
from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import neper
from microgen.microstructure import Microstructure
from microgen.orientation import conjugate, from_euler

SMALL = """***tesr
 **format
   2.1
 **general
   3
   3 2 1
   0.5 0.25 2.0
  *origin
   1.0 2.0 3.0
 **cell
   2
  *id
   7 9
  *ori
   {}
  *crysym
   hexagonal
 **data
   ascii
1 1 2 0
2 2
***end
"""


def sample() -> Microstructure:
    ms = replace(polycrystal(), grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (10, -20, 30)))
    one = replace(ms.grains, phase_id=np.zeros(12, np.int16))
    return replace(ms, grains=one, phases=PHASES[:1], phase_id=np.minimum(ms.phase_id, 0))


@pytest.mark.parametrize("format", ["neper", "neper-ascii"])
def test_what_is_written_comes_back(tmp_path: Path, format: str) -> None:
    ms = sample()
    write(ms, tmp_path / "a.tesr", format=format)
    back = read(tmp_path / "a.tesr")
    assert back.grid == ms.grid
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert np.array_equal(back.phase_id, ms.phase_id)
    q = ms.grains.orientation
    assert np.allclose(back.grains.orientation, np.where(q[:, :1] < 0, -q, q), atol=1e-15)
    assert back.phases[0].laue_group == "m-3m"


def test_the_file_is_laid_out_as_neper_5_writes_it(tmp_path: Path) -> None:
    ms = sample()
    write(ms, tmp_path / "a.tesr")
    content = (tmp_path / "a.tesr").read_bytes()
    head, _, rest = content.partition(b"   binary16\n")
    words = head.decode().split()
    assert words[:10] == ["***tesr", "**format", "2.2", "**general", "3", "5", "7", "6", "0.1", "0.7"]
    marks = [word for word in words if word.startswith("*")]
    assert marks == ["***tesr", "**format", "**general", "*origin", "**cell", "*id", "*ori", "*crysym", "**data"]
    assert words[words.index("*ori") + 1] == "quaternion:active"
    assert np.array_equal(np.frombuffer(rest[:420], "<i2"), ms.grain_id.ravel(order="F"))
    assert rest[420:] == b"\n***end\n"


def test_more_cells_than_16_bits_hold_take_32(tmp_path: Path) -> None:
    shape, n = (34, 33, 31), 34 * 33 * 31
    labels = np.arange(1, n + 1, dtype=np.int32).reshape(shape)
    grains = replace(
        sample().grains,
        phase_id=np.zeros(n, int),
        orientation=np.tile([1.0, 0, 0, 0], (n, 1)),
        volume=np.ones(n),
    )
    ms = Microstructure(Grid(shape, (1, 1, 1)), np.zeros(shape, np.int16), PHASES[:1], labels, grains=grains)
    write(ms, tmp_path / "a.tesr")
    assert b"binary32\n" in (tmp_path / "a.tesr").read_bytes()
    assert np.array_equal(read(tmp_path / "a.tesr").grain_id, labels)


E = np.radians([[30.0, 40.0, 50.0], [310.0, 80.0, 20.0]])
Q = from_euler(*E.T)
TURN = 2 * np.degrees(np.arccos(Q[:, :1]))
DESCRIBED = {
    "quaternion": Q,
    "rodrigues": Q[:, 1:] / Q[:, :1],
    "euler-bunge": np.degrees(E),
    "euler-kocks": np.degrees(E) * [1, 1, -1] + [-90, 0, 90],
    "euler-roe": np.degrees(E) + [-90, 0, 90],
    "axis-angle": np.hstack([Q[:, 1:] / np.linalg.norm(Q[:, 1:], axis=1, keepdims=True), TURN]),
}


@pytest.mark.parametrize("convention", ["", ":active", ":passive"])
@pytest.mark.parametrize("name", DESCRIBED)
def test_every_descriptor_gives_the_same_orientation(tmp_path: Path, name: str, convention: str) -> None:
    rows = "\n".join(" ".join(map(repr, row)) for row in DESCRIBED[name].tolist())
    (tmp_path / "a.tesr").write_text(SMALL.format(f"{name}{convention}\n{rows}"))
    back = read(tmp_path / "a.tesr")
    expected = conjugate(Q) if convention == ":passive" else Q
    dots = np.abs(np.sum(back.grains.orientation * expected, axis=1))
    assert np.allclose(dots, 1, atol=1e-12)
    assert back.grid == Grid((3, 2, 1), (0.5, 0.25, 2), (1, 2, 3))
    assert np.array_equal(back.grain_id[:, :, 0].T, [[1, 1, 2], [0, 2, 2]])
    assert back.phases[0].laue_group == "6/mmm"


def test_planes_and_files_without_orientations_are_read(tmp_path: Path) -> None:
    text = "***tesr **format 2.0 ascii **general 2 2 2 1 1 **cell 1 **data\nascii\n1 1 0 1\n***end"
    (tmp_path / "a.tesr").write_text(text)
    back = read(tmp_path / "a.tesr")
    assert back.grain_id.tolist() == [[1, 0], [1, 1]]
    assert back.grains is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ascii", "*file a.raw", "in another file, which is not opened"),
        ("rodrigues", "rotmat", "orientations as rotmat"),
        ("***tesr", "***tess", "got another file"),
    ],
)
def test_other_kinds_are_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SMALL.format("rodrigues\n0 0 0\n0 0 1").replace(old, new)
    (tmp_path / "a.tesr").write_text(text)
    with pytest.raises(UnsupportedFormat, match=said):
        read(tmp_path / "a.tesr")


def test_maps_of_orientations_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tesr").write_text("***tesr **format 2.1 **general 2 1 1 1 1 **oridata e ascii 0 0 0 ***end")
    with pytest.raises(UnsupportedFormat, match="no cells"):
        read(tmp_path / "a.tesr")


@pytest.mark.parametrize("size", ["3 2 1", "9999999 9999999 999999", "0 2 1", "-3 2 1", "3 2 2"])
def test_claims_that_the_file_does_not_keep_are_refused(tmp_path: Path, size: str) -> None:
    write(sample(), tmp_path / "a.tesr")
    content = (tmp_path / "a.tesr").read_bytes().replace(b"5 7 6\n", size.encode() + b"\n")
    (tmp_path / "a.tesr").write_bytes(content[:-100])
    with pytest.raises(UnreadableFile):
        read(tmp_path / "a.tesr")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    end=st.floats(0, 1, exclude_max=True),
    format=st.sampled_from(["neper", "neper-ascii"]),
)
def test_damage_gives_a_typed_error_or_a_whole_sample(
    tmp_path: Path, changes: list[tuple[int, int]], end: float, format: str
) -> None:
    path = tmp_path / "a.tesr"
    write(sample(), path, format=format, overwrite=True)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    cut = int(end * (len(data) - 8))
    path.write_bytes(data if changes else data[:cut])
    try:
        back = read(path)
    except MicrogenError:
        return
    assert changes
    assert back.phase_id.size > 0


@pytest.mark.parametrize(
    ("ms", "said"),
    [(polycrystal((5, 7)), "a volume for Neper"), (replace(polycrystal(), grains=None), "orientations for Neper")],
)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, ms: Microstructure, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        neper.write(ms, tmp_path / "a.tesr")
