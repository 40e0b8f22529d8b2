""".vti: VTK reads exactly what was written, in the right order; we do too; damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid, HexGrid
from microgen.io import vti, vtk_xml
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import ipf_color

SHAPES = [(5, 7, 6), (5, 7), (5, 7, 1), (1, 1, 1), (50, 40, 70)]


def by_vtk(path: Path):  # noqa: ANN201 (VTK has no types)
    pyvista = pytest.importorskip("pyvista")
    return pyvista.read(path)


@pytest.mark.parametrize("shape", SHAPES)
def test_vtk_reads_every_cell_exactly(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = polycrystal(shape, n=min(12, int(np.prod(shape)) - 1))
    vti.write(ms, tmp_path / "a.vti")
    cells = by_vtk(tmp_path / "a.vti").cell_data
    assert set(cells.keys()) == {"grain_id", "phase_id", "orientation", "ipf_color"}
    for name, array in {
        "grain_id": ms.grain_id,
        "phase_id": ms.phase_id,
        "orientation": ms.point_orientation.astype(np.float32),
    }.items():
        flat = array.reshape(*shape, -1).swapaxes(0, len(shape) - 1).reshape(cells[name].shape)
        assert cells[name].dtype == array.dtype
        assert np.array_equal(cells[name], flat)


def test_vtk_finds_each_cell_at_its_place(tmp_path: Path) -> None:
    ms = polycrystal((5, 7, 6))
    ms = replace(ms, grid=Grid((5, 7, 6), (0.5, 2, 3), origin=(10, -20, 30)))
    vti.write(ms, tmp_path / "a.vti")
    image = by_vtk(tmp_path / "a.vti")
    found = [image.cell_data["grain_id"][image.find_containing_cell(point)] for point in ms.grid.points()]
    assert np.array_equal(found, ms.grain_id.ravel())


def test_vtk_finds_size_and_provenance(tmp_path: Path) -> None:
    ms = polycrystal()
    vti.write(ms, tmp_path / "a.vti")
    image = by_vtk(tmp_path / "a.vti")
    assert image.dimensions == (6, 8, 7)
    assert image.spacing == ms.grid.spacing
    assert vti.read(tmp_path / "a.vti").provenance.to_json() == ms.provenance.to_json()
    assert image.field_data["provenance"][0].startswith('{"command": "polycrystal"')


def test_colours_are_those_of_the_grain_in_its_phase(tmp_path: Path) -> None:
    ms = polycrystal()
    vti.write(ms, tmp_path / "a.vti")
    colour = vtk_xml.ImageFile.open(tmp_path / "a.vti").cell_array("ipf_color")
    for grain in (1, 2):
        phase = ms.phases[ms.grains.phase_id[grain - 1]]
        expected = ipf_color(ms.grains.orientation[grain - 1], phase.laue_group)
        assert (colour[ms.grain_id == grain] == expected).all()
    assert not colour[ms.grain_id == 0].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = polycrystal(shape, n=min(12, int(np.prod(shape)) - 1), periodic=(True, False, True)[: len(shape)])
    vti.write(ms, tmp_path / "a.vti")
    back = vti.read(tmp_path / "a.vti")
    assert (back.grid, back.phases) == (ms.grid, ms.phases)
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert np.array_equal(back.phase_id, ms.phase_id)
    assert np.array_equal(back.orientation, ms.point_orientation.astype(np.float32))
    assert back.grain_id.flags.c_contiguous


def test_the_points_of_a_scan_keep_their_own_orientations(tmp_path: Path) -> None:
    own = np.random.default_rng(1).standard_normal((5, 7, 4))
    scan = replace(polycrystal((5, 7)), orientation=own, grain_id=None, grains=None)
    vti.write(scan, tmp_path / "a.vti")
    back = vti.read(tmp_path / "a.vti")
    assert np.array_equal(back.orientation, own.astype(np.float32))
    assert np.array_equal(back.phase_id, scan.phase_id)
    assert back.grain_id is None


def test_without_phases_nothing_is_coloured(tmp_path: Path) -> None:
    vti.write(replace(polycrystal(), phases=()), tmp_path / "a.vti")
    assert "ipf_color" not in vtk_xml.ImageFile.open(tmp_path / "a.vti").cells


def test_arrays_longer_than_a_block_come_back(tmp_path: Path) -> None:
    labels = np.arange(2 * 2**16, dtype=np.int32).reshape(64, 64, 32)
    for cut in (labels, labels[:, :, :31]):
        ms = Microstructure(Grid(cut.shape, (1, 1, 1)), np.zeros(cut.shape, np.int16), (Phase("Ni"),), cut)
        vti.write(ms, tmp_path / "a.vti")
        assert np.array_equal(vti.read(tmp_path / "a.vti").grain_id, cut)
        assert np.array_equal(by_vtk(tmp_path / "a.vti").cell_data["grain_id"], cut.ravel(order="F"))


@pytest.mark.parametrize("compressor", [None, "vtkZLibDataCompressor"])
@pytest.mark.parametrize("header", ["UInt32", "UInt64"])
def test_raw_files_of_vtk_are_read(tmp_path: Path, compressor: str | None, header: str) -> None:
    pyvista, io = pytest.importorskip("pyvista"), pytest.importorskip("vtkmodules.vtkIOXML")
    image = pyvista.ImageData(dimensions=(6, 8, 7), spacing=(0.5, 1, 2))
    image.cell_data["grain_id"] = np.arange(5 * 7 * 6)
    writer = io.vtkXMLImageDataWriter()
    writer.SetInputData(image)
    writer.SetFileName(str(tmp_path / "a.vti"))
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetHeaderType(32 if header == "UInt32" else 64)
    writer.SetCompressorTypeToZLib() if compressor else writer.SetCompressorTypeToNone()
    writer.Write()
    back = vti.read(tmp_path / "a.vti")
    assert back.grid == Grid((5, 7, 6), (0.5, 1, 2))
    assert np.array_equal(back.grain_id.ravel(order="F"), np.arange(5 * 7 * 6))


@pytest.mark.parametrize("compressed", [None, "zlib"])
def test_inline_files_of_pyvista_are_read(tmp_path: Path, compressed: str | None) -> None:
    pyvista = pytest.importorskip("pyvista")
    image = pyvista.ImageData(dimensions=(6, 8, 7), spacing=(0.5, 1, 2))
    image.cell_data["grain_id"] = np.arange(5 * 7 * 6)
    image.save(tmp_path / "a.vti", compression=compressed)
    back = vti.read(tmp_path / "a.vti")
    assert back.grid == Grid((5, 7, 6), (0.5, 1, 2))
    assert np.array_equal(back.grain_id.ravel(order="F"), np.arange(5 * 7 * 6))


def test_other_encodings_and_contents_are_refused_by_name(tmp_path: Path) -> None:
    pyvista, io = pytest.importorskip("pyvista"), pytest.importorskip("vtkmodules.vtkIOXML")
    writer = io.vtkXMLImageDataWriter()
    writer.SetInputData(pyvista.ImageData(dimensions=(6, 8, 7)))
    writer.SetFileName(str(tmp_path / "a.vti"))
    writer.EncodeAppendedDataOn()
    writer.Write()
    with pytest.raises(UnsupportedFormat, match="appended"):
        vti.read(tmp_path / "a.vti")
    (tmp_path / "a.vti").write_text('<VTKFile type="PolyData"><AppendedData encoding="raw">_</AppendedData></VTKFile>')
    with pytest.raises(UnsupportedFormat, match="PolyData"):
        vti.read(tmp_path / "a.vti")


def test_a_hexagonal_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="square grid"):
        vti.write(replace(polycrystal((5, 7)), grid=HexGrid((5, 7), 1.0)), tmp_path / "a.vti")


@pytest.mark.parametrize("content", [b"", b"<", b"<VTKFile>", b"<AppendedData encoding='raw'>", b"no xml"])
def test_files_that_are_no_vti_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.vti").write_bytes(content)
    with pytest.raises((UnreadableFile, UnsupportedFormat)):
        vti.read(tmp_path / "a.vti")


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.vti"
    vti.write(polycrystal(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 10, 37):
        path.write_bytes(whole[:length])
        with pytest.raises((UnreadableFile, UnsupportedFormat)):
            vti.read(path)


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.vti"
    vti.write(replace(polycrystal(), grains=None), path)
    path.write_bytes(path.read_bytes().replace(b"0 5 0 7 0 6", b"0 90000 0 90000 0 90000"))
    with pytest.raises(UnreadableFile):
        vti.read(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_gives_a_typed_error_or_a_whole_sample(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    path = tmp_path / "a.vti"
    vti.write(polycrystal(), path)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data)
    told = None
    try:
        assert vti.read(path).phase_id.size > 0
    except MicrogenError as error:
        told = str(error)
    assert told is None or str(path) in told


@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8)])
def test_level_sets_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = level_set(shape)
    vti.write(ms, tmp_path / "a.vti")
    back = vti.read(tmp_path / "a.vti")
    assert np.array_equal(back.level_set, ms.level_set)
    assert back.level_set.dtype == np.float32
    assert np.array_equal(back.phase_id, ms.phase_id)
