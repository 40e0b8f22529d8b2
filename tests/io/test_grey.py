"""Measured volumes: every format gives the same grey values at [x, y, z] with the same voxel size."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from microgen.errors import MicrogenError, UnreadableFile, UnsupportedFormat
from microgen.io import read
from microgen.io.grey import NO_SIZE

VALUES = np.random.default_rng(0).integers(0, 200, (5, 4, 3), np.uint8)  # [x, y, z]
SPACING = (2.0, 2.0, 3.0)


def write_tiff(path: Path) -> Path:
    import tifffile

    resolution, facts = (0.5, 0.5), {"unit": "um", "spacing": 3.0, "axes": "ZYX"}
    tifffile.imwrite(path.with_suffix(".tif"), VALUES.T, imagej=True, resolution=resolution, metadata=facts)
    return path.with_suffix(".tif")


def write_nrrd(path: Path) -> Path:
    import nrrd

    header = {"space directions": np.diag(SPACING) / 1000, "space units": ["mm"] * 3, "space dimension": 3}
    nrrd.write(str(path.with_suffix(".nrrd")), VALUES, header)
    return path.with_suffix(".nrrd")


def write_nifti(path: Path) -> Path:
    import nibabel

    image = nibabel.nifti1.Nifti1Image(VALUES, np.diag([*SPACING, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path.with_suffix(".nii.gz"))
    return path.with_suffix(".nii.gz")


def write_raw(path: Path) -> Path:
    path.with_suffix(".raw").write_bytes(VALUES.tobytes(order="F"))
    facts = {"shape": VALUES.shape, "dtype": "uint8", "spacing_um": SPACING}
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path.with_suffix(".raw")


def write_numpy(path: Path) -> Path:
    np.save(path.with_suffix(".npy"), VALUES)
    return path.with_suffix(".npy")


WRITERS = {"imagej": write_tiff, "nrrd": write_nrrd, "nifti": write_nifti, "raw": write_raw}


@pytest.mark.parametrize("name", WRITERS)
def test_values_and_voxel_size(name: str, tmp_path: Path) -> None:
    ms = read(WRITERS[name](tmp_path / "bone"), format=name)
    assert np.array_equal(ms.grey, VALUES)  # type: ignore[arg-type]
    assert ms.grid.spacing == pytest.approx(SPACING)
    assert (ms.phase_id == -1).all()


def test_numpy_has_values_and_no_size(tmp_path: Path) -> None:
    ms = read(write_numpy(tmp_path / "bone"), format="numpy-grey")
    assert np.array_equal(ms.grey, VALUES)  # type: ignore[arg-type]
    assert ms.notes == (NO_SIZE,)


@pytest.mark.parametrize("name", ["nrrd", "nifti", "raw", "numpy-grey"])
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_refused_or_read(name: str, tmp_path: Path, data: st.DataObject) -> None:
    path = (WRITERS | {"numpy-grey": write_numpy})[name](tmp_path / "bone")
    good = path.read_bytes()
    cut = data.draw(st.integers(0, len(good) - 1))
    path.write_bytes(good[:cut] + data.draw(st.binary(max_size=8)) + good[cut + data.draw(st.integers(0, 40)) :])
    with suppress(MicrogenError):
        assert read(path, format=name).grey is not None


@pytest.mark.parametrize("name", ["nrrd", "nifti", "raw", "imagej"])
def test_truncated_files_are_refused(name: str, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / "bone")
    path.write_bytes(path.read_bytes()[: -80 if name == "imagej" else -20])  # a TIFF ends in tags that may be missed
    with pytest.raises(UnreadableFile):
        read(path, format=name)


def test_two_values_are_solid_and_void(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes([0, 255, 255, 0]))
    path.with_suffix(".json").write_text('{"shape": [2, 2], "dtype": "uint8"}')
    ms = read(path)
    assert ms.phase_id.tolist() == [[-1, 0], [0, -1]]
    assert ms.notes[0] == "the file states no voxel size: 1 µm taken"


def test_raw_needs_its_description(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"1234")
    with pytest.raises(UnreadableFile, match="no JSON"):
        read(tmp_path / "a.raw")
    (tmp_path / "a.json").write_text('{"shape": [3, 2], "dtype": "uint8"}')
    with pytest.raises(UnreadableFile, match="would be 6"):
        read(tmp_path / "a.raw")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_slices_are_in_the_order_of_their_numbers(suffix: str, dtype: type, tmp_path: Path) -> None:
    for z, number in enumerate((1, 2, 10)):
        Image.fromarray(VALUES[:, :, z].T.astype(dtype)).save(tmp_path / f"s_{number}.{suffix}")
    (tmp_path / "notes.txt").write_text("scanned on Monday")
    ms = read(tmp_path)
    assert np.array_equal(ms.grey, VALUES)  # type: ignore[arg-type]


def test_coloured_slices_are_refused(tmp_path: Path) -> None:
    for k in range(2):
        Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(tmp_path / f"{k}.png")
    with pytest.raises(UnsupportedFormat, match="mode RGB"):
        read(tmp_path)


def test_slices_of_different_sizes_are_refused(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", VALUES[0])
    with pytest.raises(UnreadableFile, match="1 pictures"):
        read(tmp_path)
    tifffile.imwrite(tmp_path / "b.tif", VALUES[:, 0])
    with pytest.raises(UnreadableFile, match=r"b.tif.*the slices before"):
        read(tmp_path)


def test_colours_are_refused(tmp_path: Path) -> None:
    import nrrd

    nrrd.write(str(tmp_path / "a.nrrd"), np.zeros((3, 2, 2, 2)))
    with pytest.raises(UnsupportedFormat, match="grey values"):
        read(tmp_path / "a.nrrd")


def test_shrew_bone(real_data: Path) -> None:
    ms = read(real_data / "uct" / "boneJ_Shrew.nrrd")
    assert (ms.grid.shape, ms.grid.spacing) == ((114, 114, 115), pytest.approx((4.1, 4.1, 4.1)))
    assert (ms.phase_id == 0).mean() == pytest.approx(0.2935, abs=5e-5)


def test_carbon_fibres(real_data: Path) -> None:
    ms = read(real_data / "uct" / "puma_100_fiberform.tif", format="imagej")
    assert ms.grid.spacing == (1.0, 1.0, 1.0)  # its unit is ImageJ's inch for "none"
    assert ms.grey is not None
    assert (ms.grey >= 90).mean() == pytest.approx(0.167, abs=5e-4)
