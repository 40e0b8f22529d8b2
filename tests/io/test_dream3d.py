"""DREAM.3D: DAMASK's importer takes both versions; every attribute readers ask for is there; damage is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import polycrystal

from microgen import read, read_provenance, write
from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import dream3d
from microgen.microstructure import Microstructure
from microgen.orientation import from_euler, ipf_color, rotate

VERSIONS = ["dream3d", "dream3d-v7"]
BASE = {"dream3d": "DataStructure/DataContainer", "dream3d-v7": "DataContainers/ImageDataContainer"}
KINDS = {
    "dream3d": {"int32": "int32", "uint32": "uint32", "uint8": "uint8", "float32": "float32", "object": ""},
    "dream3d-v7": {"int32": "int32_t", "uint32": "uint32_t", "uint8": "uint8_t", "float32": "float", "object": ""},
}


def sample() -> Microstructure:
    return replace(polycrystal(), grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), (10, -20, 30)))


def written(folder: Path, format: str, ms: Microstructure | None = None) -> Path:
    write(sample() if ms is None else ms, folder / "a.dream3d", format=format, overwrite=True)
    return folder / "a.dream3d"


def same(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-6) -> bool:
    """Equal as orientations: q and -q are one."""
    return bool((np.abs(np.abs(np.sum(a * b, axis=-1)) - 1) < tolerance).all())


@pytest.mark.parametrize("format", VERSIONS)
def test_damask_imports_grid_phases_and_orientations(tmp_path: Path, format: str) -> None:
    damask = pytest.importorskip("damask", reason="the package damask is not installed", exc_type=ImportError)
    ms, path = sample(), written(tmp_path, format)
    grid = damask.GeomGrid.load_DREAM3D(path, feature_IDs="FeatureIds")
    assert np.array_equal(grid.material, ms.grain_id)
    assert np.allclose(grid.size, ms.grid.lengths, rtol=1e-6)
    assert np.allclose(grid.origin, ms.grid.origin)
    config = damask.ConfigMaterial.load_DREAM3D(path, grain_data="CellFeatureData", Euler_angles="AvgEulerAngles")
    for k in range(12):
        material = config["material"][k + 1]["constituents"][0]
        assert material["phase"] == ms.phases[ms.grains.phase_id[k]].name
        assert np.allclose(
            damask.Rotation.from_quaternion(material["O"]) @ np.array([1.0, 2, 3]),
            rotate(ms.grains.orientation[k], np.array([1.0, 2, 3])),
            atol=1e-5,
        )


@pytest.mark.parametrize("format", VERSIONS)
def test_damask_finds_the_same_by_cell(tmp_path: Path, format: str) -> None:
    damask = pytest.importorskip("damask", reason="the package damask is not installed", exc_type=ImportError)
    path = written(tmp_path, format)
    grid, config = damask.GeomGrid.load_DREAM3D(path), damask.ConfigMaterial.load_DREAM3D(path)
    ms = sample()
    pairs = np.unique(np.stack([grid.material.ravel(), ms.grain_id.ravel()]), axis=1)
    assert pairs.shape[1] == 13
    assert len(config["material"]) == 13


@pytest.mark.parametrize("format", VERSIONS)
def test_what_is_written_comes_back(tmp_path: Path, format: str) -> None:
    ms = sample()
    back = read(written(tmp_path, format))
    assert (back.grid, back.phases) == (ms.grid, ms.phases)
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert np.array_equal(back.phase_id, ms.phase_id)
    assert same(back.grains.orientation, ms.grains.orientation)
    for beside in (True, False):
        assert read_provenance(tmp_path / "a.dream3d").to_json() == ms.provenance.to_json()
        (tmp_path / "a.dream3d.json").unlink(missing_ok=not beside)


@pytest.mark.parametrize("format", VERSIONS)
def test_without_our_own_group_it_is_read_as_anyone_would_write_it(tmp_path: Path, format: str) -> None:
    ms, path = sample(), written(tmp_path, format)
    with h5py.File(path, "a") as file:
        del file["microgen"]
    back = read(path)
    assert np.allclose(back.grid.spacing, ms.grid.spacing, rtol=1e-6)
    assert back.grid.origin == ms.grid.origin
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert [p.laue_group for p in back.phases] == ["m-3m", "6/mmm"]
    assert [p.name for p in back.phases] == [p.name for p in ms.phases]


@pytest.mark.parametrize("format", VERSIONS)
def test_maps_without_grains_are_read_as_points(tmp_path: Path, format: str) -> None:
    ms, path = sample(), written(tmp_path, format)
    with h5py.File(path, "a") as file:
        del file[f"{BASE[format]}/CellData/FeatureIds"]
    back = read(path)
    assert back.grain_id is None
    assert np.array_equal(back.phase_id, ms.phase_id)
    inside = ms.grain_id > 0
    assert same(back.orientation[inside], ms.point_orientation[inside])


@pytest.mark.parametrize("format", VERSIONS)
def test_arrays_have_the_values_of_their_names(tmp_path: Path, format: str) -> None:
    ms, path = sample(), written(tmp_path, format)
    with h5py.File(path) as file:
        base = file[BASE[format]]
        cells, features = ({k: v[()] for k, v in base[name].items()} for name in ("CellData", "CellFeatureData"))
        assert np.array_equal(base["CellEnsembleData/CrystalStructures"][:, 0], [999, 1, 0])
        assert [name.decode() for name in base["CellEnsembleData/PhaseName"][1:]] == [p.name for p in ms.phases]
    assert np.array_equal(cells["FeatureIds"][..., 0], ms.grain_id.T)
    assert np.array_equal(cells["Phases"][..., 0], ms.phase_id.T + 1)
    colour = ipf_color(ms.grains.orientation[0], "m-3m")
    assert (cells["IPFColors"][(ms.grain_id == 1).T] == colour).all()
    q = features["AvgQuats"][1:][:, [3, 0, 1, 2]] * [1, -1, -1, -1]
    assert same(q, ms.grains.orientation)
    assert same(from_euler(*features["AvgEulerAngles"][1:].astype(float).T), ms.grains.orientation)
    voxels = np.bincount(ms.grain_id.ravel())[1:]
    assert np.array_equal(features["NumElements"][1:, 0], voxels)
    assert np.allclose(features["Volumes"][1:, 0], voxels * ms.grid.cell_measure)
    assert np.allclose(np.pi / 6 * features["EquivalentDiameters"][1:, 0] ** 3, voxels * ms.grid.cell_measure)


def test_version_8_says_of_every_object_what_simplnx_asks_for(tmp_path: Path) -> None:
    """After DataStructureReader, ImageGeomIO, AttributeMatrixIO, DataArrayIO and StringArrayIO of simplnx."""
    numbers = []

    def check(name: str, found: Any) -> None:
        numbers.append(int(found.attrs["ObjectId"]))
        assert found.attrs["ObjectId"].dtype == np.uint64
        assert (found.attrs["Importable"], found.attrs["Importable"].dtype) == (1, np.int32)
        kind = found.attrs["ObjectType"].decode()
        if kind == "AttributeMatrix":
            assert all(tuple(child.shape[: len(found.attrs["TupleDims"])]) for child in found.values())
            assert found.attrs["TupleDims"].dtype == np.uint64
        elif kind == "ImageGeom":
            assert found.attrs["_DIMENSIONS"].tolist() == [5, 7, 6]
            assert found.attrs["_SPACING"].dtype == found.attrs["_ORIGIN"].dtype == np.float32
            assert found.attrs["Cell Data ID"] == found["CellData"].attrs["ObjectId"]
        else:
            assert kind in ("StringArray", f"DataArray<{KINDS['dream3d'][found.dtype.name]}>")
            shape = [*found.attrs["TupleDimensions"], *found.attrs.get("ComponentDimensions", [])]
            assert shape == list(found.shape)

    with h5py.File(written(tmp_path, "dream3d")) as file:
        assert file.attrs["FileVersion"] == b"8.0"
        assert file["Pipeline"].attrs["Pipeline Version"] == 3
        assert json.loads(file["Pipeline/Pipeline"][()].rstrip(b"\0"))["pipeline"] == []
        file["DataStructure"].visititems(check)
        assert file["DataStructure"].attrs["NextObjectId"] > max(numbers)
    assert len(set(numbers)) == len(numbers) == 1 + 3 + 5 + 6 + 3


def test_version_7_says_of_every_array_what_simpl_asks_for(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path, "dream3d-v7")) as file:
        assert (file.attrs["FileVersion"], file["Pipeline"].attrs["Pipeline Version"]) == (b"7.0", 2)
        assert json.loads(file["Pipeline/Pipeline"][()].rstrip(b"\0"))["PipelineBuilder"]["Number_Filters"] == 0
        base = file[BASE["dream3d-v7"]]
        geometry = base["_SIMPL_GEOMETRY"]
        assert geometry.attrs["GeometryTypeName"] == b"ImageGeometry"
        assert geometry["DIMENSIONS"][()].tolist() == [5, 7, 6]
        assert (geometry["DIMENSIONS"].dtype, geometry["SPACING"].dtype) == (np.int64, np.float32)
        for name, kind in {"CellData": 3, "CellFeatureData": 7, "CellEnsembleData": 11}.items():
            matrix = base[name]
            assert matrix.attrs["AttributeMatrixType"] == kind
            for array in matrix.values():
                assert array.attrs["TupleDimensions"].tolist() == matrix.attrs["TupleDimensions"].tolist()
                assert array.attrs["DataArrayVersion"] == 2
                kinds = ("StringDataArray", f"DataArray<{KINDS['dream3d-v7'][array.dtype.name]}>")
                assert array.attrs["ObjectType"].decode() in kinds
                rows = array.shape[: len(matrix.attrs["TupleDimensions"])]
                assert matrix.attrs["TupleDimensions"].tolist() == list(rows[::-1])
                axes = dict(part.split("=") for part in array.attrs["Tuple Axis Dimensions"].decode().split(","))
                assert [int(n) for n in axes.values()] == list(rows[::-1])


@pytest.mark.parametrize("format", VERSIONS)
def test_texts_are_of_fixed_length_and_end_with_a_zero(tmp_path: Path, format: str) -> None:
    with h5py.File(written(tmp_path, format)) as file:
        found = []
        file.visititems(lambda name, x: found.extend(h5py.h5a.open(x.id, key.encode()) for key in x.attrs))
        kinds = [kind for a in found if isinstance(kind := a.get_type(), h5py.h5t.TypeStringID)]
        assert len(kinds) > 15
        assert not any(kind.is_variable_str() for kind in kinds)
        assert {kind.get_strpad() for kind in kinds} == {h5py.h5t.STR_NULLTERM}


@pytest.mark.parametrize("version", ["6.0", "9.0", ""])
def test_other_versions_are_refused_by_name(tmp_path: Path, version: str) -> None:
    with h5py.File(tmp_path / "a.dream3d", "w") as file:
        file.attrs["FileVersion"] = np.bytes_(version or "x")
    with pytest.raises(UnsupportedFormat, match=r"version 7\.0 or 8\.0"):
        read(tmp_path / "a.dream3d")


@pytest.mark.parametrize("link", ["soft", "external"])
def test_links_are_not_followed(tmp_path: Path, link: str) -> None:
    path = written(tmp_path, "dream3d")
    with h5py.File(path, "a") as file:
        cells = file[f"{BASE['dream3d']}/CellData"]
        del cells["FeatureIds"], cells["EulerAngles"]
        there = f"{BASE['dream3d']}/CellData/Phases"
        cells["FeatureIds"] = h5py.SoftLink(f"/{there}") if link == "soft" else h5py.ExternalLink("b.dream3d", there)
    with pytest.raises(UnsupportedFormat, match="expected FeatureIds"):
        read(path)


@pytest.mark.parametrize("format", VERSIONS)
def test_features_and_phases_that_do_not_fit_are_refused(tmp_path: Path, format: str) -> None:
    for name, value in (("CellData/FeatureIds", 99), ("CellFeatureData/Phases", 7), ("CellData/FeatureIds", -1)):
        path = written(tmp_path, format)
        with h5py.File(path, "a") as file:
            file[f"{BASE[format]}/{name}"][2] = value
        with pytest.raises((UnreadableFile, UnsupportedFormat)):
            read(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**17), st.integers(0, 255)), max_size=6),
    end=st.floats(0, 1, exclude_max=True),
    format=st.sampled_from(VERSIONS),
)
def test_damage_gives_a_typed_error_or_a_whole_sample(
    tmp_path: Path, changes: list[tuple[int, int]], end: float, format: str
) -> None:
    path = written(tmp_path, format)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data if changes else data[: int(end * len(data))])
    try:
        back = read(path)
    except MicrogenError:
        return
    assert changes
    assert back.phase_id.size > 0


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (polycrystal((5, 7)), "a volume for DREAM.3D"),
        (replace(polycrystal(), grain_id=None), "numbered grains"),
        (replace(polycrystal(), grains=None), "orientations for DREAM.3D"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, ms: Microstructure, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        dream3d.write(ms, tmp_path / "a.dream3d")
