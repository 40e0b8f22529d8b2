"""`microgen reconstruct`: files, table, the diagram read again on another grid, and bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import microgen as library

SCAN = Path(__file__).parents[2] / "data" / "dual_phase.ang"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six grains, a wavy boundary and a hole, as a label file."""
    x, y = np.meshgrid(np.arange(48), np.arange(40), indexing="ij")
    labels = 1 + (x + 3 * np.sin(y / 5) > 16).astype(np.int32) + (x > 32) + 3 * (y > 20)
    labels[5:9, 5:9] = 0
    path = tmp_path_factory.mktemp("map") / "map.tif"
    ms = library.Microstructure(
        library.Grid(labels.shape, (0.5, 0.5)), np.where(labels > 0, 0, -1).astype(np.int16), (), labels
    )
    library.write(ms, path)
    return path


def test_diagram_picture_and_points_are_written_and_made_again(microgen, small):
    done = microgen("reconstruct", "--ebsd", small, "--json")
    assert done.code == 0, done.err
    assert done.json["outputs"] == ["map_diagram.csv", "map_diagram.tif", "map_diagram.png"]
    figures = done.json["statistics"]
    assert figures["differing"] < min(0.03, figures["differing_moments"])
    assert figures["masked"] == 16
    assert "pixels that differ" in done.err
    again = microgen("rerun", "map_diagram.csv", "--quiet")
    assert again.code == 0, again.err
    assert Path("map_diagram_rerun.csv").read_bytes() == Path("map_diagram.csv").read_bytes()


def test_the_table_is_a_source_at_any_resolution(microgen, small):
    assert (
        microgen("reconstruct", "--ebsd", small, "--out", "a.csv", "--fill", "--shape", 96, 80, "--out", "a.tif").code
        == 0
    )
    assert microgen("polycrystal", "--sites", "a.csv", "--shape", 96, 80, "--out", "b.tif").code == 0
    assert np.mean(library.read("a.tif").grain_id == library.read("b.tif").grain_id) > 0.995
    done = microgen("reconstruct", "--ebsd", small, "--depth", "5um", "--out", "deep.vti", "--json")
    assert done.json["grid"]["shape"] == [48, 40, 10]


def test_a_scan_is_segmented_first(microgen):
    done = microgen("reconstruct", "--ebsd", SCAN, "--json", "--out", "scan.csv")
    assert done.json["statistics"]["differing"] < 0.03
    assert done.json["statistics"]["masked"] > 0
    grains = library.segment_grains(library.read(SCAN)).grains
    assert grains is not None
    assert done.json["statistics"]["grains"] == len(grains)


@pytest.mark.parametrize(
    "flags",
    [
        ("--threshold", 0),
        ("--min-pixels", 0),
        ("--shape", 4, 4, 4),
        ("--shape", 4, 4, "--spacing", 1),
        ("--depth", -1),
        ("--out", "a.xyz"),
    ],
)
def test_wrong_flags_are_refused(microgen, small, flags):
    done = microgen("reconstruct", "--ebsd", small, *flags)
    assert done.code == 2
    assert not list(Path().iterdir())


def test_maps_without_grains_are_refused(microgen):
    np.save("empty.npy", np.zeros((8, 8), np.int32))
    assert microgen("reconstruct", "--ebsd", "empty.npy").code in (2, 4)
    assert microgen("reconstruct", "--ebsd", "none.ang").code == 4
