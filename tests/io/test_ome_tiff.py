"""OME-TIFF: what is written comes back exactly, other programs see axes and sizes, damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid, HexGrid
from microgen.io import ome_tiff, read, write
from microgen.microstructure import Microstructure, Phase

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
SHAPES = [(5, 7, 6), (5, 7), (5, 7, 1), (1, 7, 6), (5, 1, 6), (13, 1, 1), (13, 1), (1, 13)]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = polycrystal(shape, periodic=(True, False, True)[: len(shape)])
    ome_tiff.write(ms, tmp_path / "a.tif")
    back = ome_tiff.read(tmp_path / "a.tif")
    assert (back.grid, back.phases, back.notes) == (ms.grid, ms.phases, ())
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert np.array_equal(back.phase_id, ms.phase_id)
    assert back.grain_id.dtype == np.int32
    assert back.grain_id.flags.c_contiguous
    assert back.provenance.to_json() == ms.provenance.to_json()


def test_origin_comes_back_and_spacing_is_exact(tmp_path: Path) -> None:
    ms = polycrystal()
    ms = replace(ms, grid=Grid(ms.grid.shape, (0.1 + 0.2, 1e-7 / 3, 1e5), origin=(-3.3, 0.1, 1e9)))
    ome_tiff.write(ms, tmp_path / "a.tif")
    assert ome_tiff.read(tmp_path / "a.tif").grid == ms.grid


def test_other_programs_see_pages_along_z_and_sizes_in_micrometres(tmp_path: Path) -> None:
    ms = polycrystal((5, 7, 6))
    ome_tiff.write(ms, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        (series,) = tif.series
        assert (tif.is_ome, series.axes, series.shape, series.dtype) == (True, "ZYX", (6, 7, 5), np.uint16)
        assert tif.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert np.array_equal(tif.pages[2].asarray(), ms.grain_id[:, :, 2].T)
        pixels = ElementTree.fromstring(tif.ome_metadata).find(f"{OME}Image/{OME}Pixels").attrib
    assert [float(pixels[f"PhysicalSize{a}"]) for a in "XYZ"] == list(ms.grid.spacing)
    assert {pixels[f"PhysicalSize{a}Unit"] for a in "XYZ"} == {"µm"}
    assert [pixels[f"Size{a}"] for a in "XYZ"] == ["5", "7", "6"]


def test_a_plane_has_the_axes_yx(tmp_path: Path) -> None:
    ome_tiff.write(polycrystal((5, 7)), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert (tif.series[0].axes, tif.series[0].shape) == ("YX", (7, 5))


@pytest.mark.parametrize(("last", "dtype"), [(65535, np.uint16), (65536, np.uint32)])
def test_labels_above_65535_take_32_bits(tmp_path: Path, last: int, dtype: type) -> None:
    labels = np.arange(last - 7, last + 1, dtype=np.int32).reshape(2, 2, 2)
    ms = Microstructure(Grid((2, 2, 2), (1, 1, 1)), np.zeros((2, 2, 2), np.int16), (Phase("Ni"),), labels)
    ome_tiff.write(ms, tmp_path / "a.tif")
    assert tifffile.imread(tmp_path / "a.tif").dtype == dtype
    assert np.array_equal(ome_tiff.read(tmp_path / "a.tif").grain_id, labels)


def test_the_same_sample_gives_the_same_bytes(tmp_path: Path) -> None:
    ms = polycrystal()
    for name in "ab":
        ome_tiff.write(ms, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_samples_it_cannot_hold_are_refused(tmp_path: Path) -> None:
    ms = polycrystal((5, 7))
    scan = replace(ms, grain_id=None, orientation=ms.point_orientation)
    with pytest.raises(InvalidParameter, match="grain_id"):
        ome_tiff.write(scan, tmp_path / "a.tif")
    with pytest.raises(InvalidParameter, match="255 phases"):
        ome_tiff.write(replace(ms, grain_id=None, phase_id=ms.phase_id + np.int16(300)), tmp_path / "a.tif")
    with pytest.raises(InvalidParameter, match="square grid"):
        ome_tiff.write(replace(ms, grid=HexGrid((5, 7), 1.0)), tmp_path / "a.tif")


@pytest.mark.parametrize("ome", [True, False])
def test_label_images_of_others_are_read(tmp_path: Path, ome: bool) -> None:
    pages = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    sizes = {"axes": "ZYX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 2, "PhysicalSizeZ": 3}
    tifffile.imwrite(tmp_path / "a.tif", pages, ome=ome, metadata=sizes if ome else None, photometric="minisblack")
    back = ome_tiff.read(tmp_path / "a.tif")
    assert back.grid == Grid((4, 3, 2), (0.25, 2, 3) if ome else (1, 1, 1))
    assert back.grain_id[1, 2, 0] == pages[0, 2, 1]
    assert (back.provenance, bool(back.notes)) == (None, not ome)


@pytest.mark.parametrize(
    ("array", "metadata"),
    [
        (np.zeros((4, 5), np.float32), {}),
        (np.full((4, 5), -1, np.int16), {}),
        (np.zeros((4, 5, 3), np.uint8), {"photometric": "rgb"}),
        (np.full((4, 5), 2**31, np.uint32), {}),
    ],
)
def test_images_that_are_no_labels_are_refused(tmp_path: Path, array: np.ndarray, metadata: dict) -> None:
    tifffile.imwrite(tmp_path / "a.tif", array, **metadata)
    with pytest.raises(UnsupportedFormat):
        ome_tiff.read(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"II*\0\x08\0\0\0", b"MM\0*" + b"\xff" * 60, b"no tiff at all"])
def test_files_that_are_no_tiff_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnreadableFile):
        ome_tiff.read(tmp_path / "a.tif")


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    ome_tiff.write(polycrystal(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile):
            ome_tiff.read(path)


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint16), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for tag in ("ImageLength", "ImageWidth", "RowsPerStrip"):
            tif.pages[0].tags[tag].overwrite(60000)
    with pytest.raises(UnreadableFile, match="announces"):
        ome_tiff.read(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_gives_a_typed_error_or_a_whole_sample(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    path = tmp_path / "a.tif"
    ome_tiff.write(polycrystal(), path)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data)
    told = None
    try:
        assert ome_tiff.read(path).grain_id.size > 0
    except MicrogenError as error:
        told = str(error)
    assert told is None or str(path) in told


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8), (9, 1, 7)])
def test_phases_without_grains_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = level_set(shape)
    write(ms, tmp_path / "a.tif")
    back = read(tmp_path / "a.tif")
    assert (back.grid, back.phases, back.provenance) == (ms.grid, ms.phases, ms.provenance)
    assert np.array_equal(back.phase_id, ms.phase_id)
    assert back.grain_id is None
    assert tifffile.imread(tmp_path / "a.tif").dtype == np.uint8
