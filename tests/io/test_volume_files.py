"""NRRD, NIfTI, RAW+JSON, NumPy .npz and ImageJ's TIFF: what is written comes back, and other readers see the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.grid import Grid, HexGrid
from microgen.io import grey_tiff, nifti, read, write
from microgen.microstructure import Microstructure

NAMES = ["a.nrrd", "a.nii", "a.nii.gz", "a.raw", "a.npz", "a.tif"]
SHAPES = [(5, 7, 6), (5, 7), (5, 7, 1), (1, 7, 6), (5, 1, 6)]


def written(ms: Microstructure, path: Path) -> Path:
    write(ms, path, format="imagej" if path.suffix == ".tif" else None, overwrite=True)
    return path


def grey(dtype: str, shape: tuple[int, ...] = (5, 7, 6)) -> Microstructure:
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    grid = Grid(shape, (0.1, 0.2, 0.3)[: len(shape)])
    return Microstructure(grid, np.full(shape, -1, np.int16), grey=values)


def elsewhere(ms: Microstructure) -> Microstructure:
    grid = ms.grid
    spacing, origin = (0.1 + 0.2, 1e-7 / 3, 1e5)[: grid.ndim], (-3.3, 0.1, 1e9)[: grid.ndim]
    return replace(ms, grid=Grid(grid.shape, spacing, origin, (True, False, True)[: grid.ndim]))


def same(a: Microstructure, b: Microstructure) -> bool:
    """Arrays, grid, phases and provenance."""
    for name in ("grain_id", "phase_id", "level_set", "grey"):
        before, after = getattr(a, name), getattr(b, name)
        assert (before is None) == (after is None), name
        assert before is None or (before.dtype == after.dtype and np.array_equal(before, after)), name
        assert after is None or after.flags.c_contiguous
    assert a.provenance is None or a.provenance.to_json() == b.provenance.to_json()
    return (a.grid, a.phases) == (b.grid, b.phases)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_grains_come_back(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    ms = elsewhere(polycrystal(shape))
    assert same(ms, read(written(ms, tmp_path / name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8)])
def test_level_sets_and_phases_come_back(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    ms = elsewhere(level_set(shape))
    assert same(ms, read(written(ms, tmp_path / name)))
    phases = replace(ms, level_set=None)
    assert same(phases, read(written(phases, tmp_path / name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_grey_values_come_back(tmp_path: Path, name: str, dtype: str) -> None:
    ms = grey(dtype)
    back = read(written(ms, tmp_path / name))
    assert same(ms, replace(back, grey=back.grey.astype(dtype)))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_sample_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    ms = polycrystal()
    first = written(ms, tmp_path / name).read_bytes()
    assert written(ms, tmp_path / name).read_bytes() == first


def test_npz_keeps_everything_there_is(tmp_path: Path) -> None:
    ms = elsewhere(polycrystal())
    back = read(written(ms, tmp_path / "a.npz"))
    for name in ("phase_id", "orientation", "volume", "volume_target", "sites", "metrics", "weights"):
        assert np.array_equal(getattr(back.grains, name), getattr(ms.grains, name)), name
    rng = np.random.default_rng(0)
    scan = Microstructure(
        HexGrid((5, 7), 0.3, 0, True, (1.0, 2.0)),
        rng.integers(-1, 2, (5, 7)).astype(np.int16),
        ms.phases,
        orientation=rng.random((5, 7, 4)).astype(np.float32),
        measured=rng.random((5, 7)) > 0.5,
        notes=("taken as it is",),
    )
    back = read(written(scan, tmp_path / "a.npz"))
    assert (back.grid, back.phases, back.notes) == (scan.grid, scan.phases, scan.notes)
    for name in ("phase_id", "orientation", "measured"):
        assert np.array_equal(getattr(back, name), getattr(scan, name)), name


def test_numpy_sees_names_and_sizes(tmp_path: Path) -> None:
    ms = elsewhere(polycrystal())
    with np.load(written(ms, tmp_path / "a.npz"), allow_pickle=False) as file:
        assert np.array_equal(file["grain_id"], ms.grain_id)
        assert np.array_equal(file["grains.orientation"], ms.grains.orientation)
        assert (tuple(file["spacing_um"]), tuple(file["origin_um"])) == (ms.grid.spacing, ms.grid.origin)
        assert json.loads(file["provenance_json"].item()) == json.loads(ms.provenance.to_json())


def test_npz_of_others_are_read(tmp_path: Path) -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    np.savez_compressed(tmp_path / "a.npz", grain_id=labels, spacing_um=0.5, other=np.zeros(3))
    back = read(tmp_path / "a.npz")
    assert (back.grid, back.notes) == (Grid((4, 3, 2), (0.5,) * 3), ())
    assert np.array_equal(back.grain_id, labels)


def test_pynrrd_sees_values_sizes_and_place(tmp_path: Path) -> None:
    import nrrd

    ms = elsewhere(polycrystal())
    values, header = nrrd.read(str(written(ms, tmp_path / "a.nrrd")))
    assert values.dtype == np.int32
    assert np.array_equal(values, ms.grain_id)
    assert np.array_equal(header["space directions"], np.diag(ms.grid.spacing))
    centre = [o + h / 2 for o, h in zip(ms.grid.origin, ms.grid.spacing)]
    assert (list(header["space origin"]), header["space units"]) == (centre, ["um"] * 3)
    assert json.loads(header["microgen/provenance"].replace("\\\\", "\\"))["seed"] == 3


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nibabel_sees_values_sizes_and_place(tmp_path: Path, name: str) -> None:
    import nibabel

    ms = replace(polycrystal(), grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (-1.0, 2.0, 3.0)))
    image = nibabel.load(written(ms, tmp_path / name))
    assert np.array_equal(np.asanyarray(image.dataobj), ms.grain_id)
    assert image.get_data_dtype() == np.int32
    assert image.header.get_xyzt_units()[0] == "micron"
    assert np.allclose(image.header.get_zooms(), ms.grid.spacing, rtol=1e-7)
    assert np.allclose(image.affine[:3, 3], [-0.95, 2.35, 3 + 1 / 6], rtol=1e-6)
    assert image.header.extensions[0].get_code() == 6


@pytest.mark.parametrize(("name", "reader"), [("a.nrrd", "NRRDReader"), ("a.nii", "NIFTIReader")])
def test_vtk_sees_values_and_sizes(tmp_path: Path, name: str, reader: str) -> None:
    pyvista = pytest.importorskip("pyvista")
    ms = polycrystal((20, 24, 28))  # of fewer voxels along x VTK makes components
    image = getattr(pyvista, reader)(str(written(ms, tmp_path / name))).read()
    assert image.dimensions == ms.grid.shape
    assert np.allclose(image.spacing, ms.grid.spacing, rtol=1e-7)
    assert np.array_equal(image.active_scalars, ms.grain_id.ravel(order="F"))


def test_numpy_sees_raw_values_as_the_json_says(tmp_path: Path) -> None:
    ms = elsewhere(polycrystal())
    path = written(ms, tmp_path / "a.raw")
    said = json.loads((tmp_path / "a.raw.json").read_text())
    layout = said["raw"]
    values = np.fromfile(path, layout["dtype"]).reshape(layout["shape"], order="F")
    assert np.array_equal(values, ms.grain_id)
    assert (layout["spacing_um"], layout["origin_um"]) == (list(ms.grid.spacing), list(ms.grid.origin))
    assert (said["command"], said["seed"]) == ("polycrystal", 3)


@pytest.mark.parametrize(("last", "dtype"), [(255, np.uint8), (65535, np.uint16), (65536, np.float32), (2**24, "f4")])
def test_tifffile_sees_what_imagej_sees(tmp_path: Path, last: int, dtype: type) -> None:
    import tifffile

    ms = polycrystal()
    labels = ms.grain_id.copy()
    labels[0, 1, 2] = last
    ms = replace(
        ms, grain_id=labels, grains=None, phases=ms.phases[:1], phase_id=np.where(labels > 0, 0, -1).astype(np.int16)
    )
    with tifffile.TiffFile(written(ms, tmp_path / "a.tif")) as tif:
        (series,), facts = tif.series, tif.imagej_metadata
        assert (tif.is_imagej, tif.is_bigtiff, series.axes, series.dtype) == (True, False, "ZYX", dtype)
        assert np.array_equal(series.asarray().T, labels)
        assert (facts["unit"], facts["spacing"], facts["max"]) == ("micron", 1 / 3, last)
        x, y = (tif.pages[0].tags[name].value for name in ("XResolution", "YResolution"))
    assert np.allclose([x[1] / x[0], y[1] / y[0]], ms.grid.spacing[:2], rtol=1e-9)
    assert same(ms, read(tmp_path / "a.tif"))
    assert same(ms, read(tmp_path / "a.tif", format="imagej"))


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ms = polycrystal()
    labels = ms.grain_id.copy()
    labels[0, 0, 0] = 2**24 + 1
    with pytest.raises(InvalidParameter, match="--format ome"):
        written(replace(ms, grain_id=labels), tmp_path / "a.tif")
    monkeypatch.setattr(grey_tiff, "LARGEST", 100)
    with pytest.raises(InvalidParameter, match="4 GiB.*--format ome"):
        written(ms, tmp_path / "a.tif")
    monkeypatch.setattr(nifti, "_LONGEST_AXIS", 6)
    with pytest.raises(InvalidParameter, match=r"NIfTI.*\.nrrd or \.zarr"):
        written(ms, tmp_path / "a.nii")
    for name in ("a.nrrd", "a.nii", "a.raw"):
        with pytest.raises(InvalidParameter, match="square grid"):
            written(replace(polycrystal((5, 7)), grid=HexGrid((5, 7), 1.0)), tmp_path / name)
        with pytest.raises(InvalidParameter, match="Segment"):
            written(replace(ms, grain_id=None, orientation=np.zeros((5, 7, 6, 4))), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [n for n in NAMES if n != "a.tif"])
def test_every_truncation_is_told(tmp_path: Path, name: str) -> None:
    path = written(polycrystal((3, 3, 3), n=5), tmp_path / name)
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile):
            read(path)


def test_place_of_others_is_kept(tmp_path: Path) -> None:
    import nrrd

    header = {"space directions": np.eye(3) * 0.002, "space origin": [0.011, 0, 0], "space units": ["mm"] * 3}
    nrrd.write(str(tmp_path / "a.nrrd"), np.arange(8, dtype=np.uint8).reshape(2, 2, 2), header)
    assert read(tmp_path / "a.nrrd").grid.origin == pytest.approx((10.0, -1.0, -1.0))
