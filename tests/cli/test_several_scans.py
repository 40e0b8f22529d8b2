"""Scans of several planes, and a volume of grain numbers in place of scans."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Microstructure, Polycrystal, read, read_provenance, write
from microgen.fitting.sections import Body, sections
from microgen.fitting.views import in_sample_frame, seen
from microgen.generators.laws import AspectRatioLaw, Fabric
from microgen.io import ang

pytestmark = pytest.mark.usefixtures("small_search")
PLANES = ("xy", "yz", "xz")
SIDES = [word for plane in PLANES for word in ("--ebsd", f"{plane}={plane}.ang")]
SMALL = ("--grains", 150, "--shape", 40, 40, 40)


@lru_cache(1)
def pancakes() -> Microstructure:
    """Flat grains across z."""
    laws = Polycrystal(500, aspect_ratio=AspectRatioLaw(2.0, 0.1, "oblate"), fabric=Fabric((0.0, 0.0, 1.0), 15.0))
    return laws.sample(Grid((48, 48, 48), (1.0,) * 3, periodic=(True,) * 3), seed=0)


@pytest.fixture
def scans(microgen) -> None:
    """A scan of each plane, in the working folder."""
    body, rng, window = Body.of(pancakes()), np.random.default_rng(0), Grid((80, 80), (0.6, 0.6))
    for plane in PLANES:
        ang.write(next(iter(sections(body.turned(plane), window, rng=rng))), f"{plane}.ang")


def test_three_planes_give_the_fabric_in_space(scans, microgen) -> None:
    done = microgen("polycrystal", *SIDES, *SMALL, "--out", "rve.vti", "--report", "rve.html", "--json")
    assert done.code == 0, done.err
    assert [scan["plane"] for scan in done.json["scans"]] == list(PLANES)
    assert {"aspect_ratio.xy", "axis_angle.yz", "texture.material"} <= set(done.json["statistics"])
    made = read_provenance(Path("rve.vti"))
    assert made.configuration["ebsd"] == [f"{plane}={plane}.ang" for plane in PLANES]
    assert set(made.inputs) == {f"{plane}.ang" for plane in PLANES}
    assert made.configuration["aspect_ratio"]["form"] == "oblate"
    assert abs(made.configuration["fabric"]["axis"][2]) > np.cos(np.radians(10))
    assert "axis angle.yz" in done.err
    again = microgen("polycrystal", *SIDES, *SMALL, "--out", "rve.vti", "--report", "rve.html", "--resume", "--json")
    assert len(again.json["scans"]) == 3
    exchanged = [word.replace("xy=", "zx=") for word in SIDES]
    other = microgen("polycrystal", *exchanged, *SMALL, "--out", "rve.vti", "--report", "rve.html", "--resume")
    assert (other.code, "another run" in other.err) == (3, True)


def test_a_configuration_file_names_one_scan_or_several(scans, microgen) -> None:
    for text, code in (
        ('ebsd = "xy.ang"\n', 0),
        ('ebsd = ["xy=xy.ang", "yz=yz.ang"]\n', 0),
        ('ebsd = ["xy=none.ang"]\n', 4),
    ):
        Path("run.toml").write_text(text)
        done = microgen("polycrystal", "--config", "run.toml", "--grains", 100, "--out", "a.tif", "--dry-run")
        assert done.code == code, done.err
        if code == 0:  # what is printed can be used as a configuration again
            Path("run.toml").write_text(done.out)
            assert microgen("polycrystal", "--config", "run.toml", "--dry-run").code == 0


def test_scans_of_one_plane_are_pooled(scans, microgen) -> None:
    done = microgen("polycrystal", "--ebsd", "yz.ang", "--ebsd", "xz.ang", *SMALL, "--out", "a.tif", "--json")
    assert done.code == 0, done.err
    assert "aspect_ratio" in done.json["statistics"]
    assert len(done.json["scans"]) == 2


def test_a_volume_of_grains_stands_for_scans(microgen) -> None:
    write(pancakes(), "grains.vti")
    done = microgen("polycrystal", "--ebsd", "grains.vti", *SMALL, "--out", "rve.tif", "--report", "r.html", "--json")
    assert done.code == 0, done.err
    assert (done.json["scan"]["grid"], done.json["scan"]["grains"]) == ("volume", 500)
    made = read_provenance(Path("rve.tif"))
    assert made.configuration["aspect_ratio"]["form"] == "oblate"
    assert abs(made.configuration["fabric"]["axis"][2]) > np.cos(np.radians(5))
    assert "texture.material" in done.json["statistics"]


def test_labels_without_orientations_leave_the_texture_open(microgen) -> None:
    np.save("labels.npy", pancakes().grain_id)
    sized = microgen("polycrystal", "--ebsd", "labels.npy", *SMALL, "--out", "rve.tif")
    assert (sized.code, "--spacing" in sized.err) == (2, True)
    flags = ("--grains", 150, "--spacing", "1um", "--out", "rve.tif", "--json")
    done = microgen("polycrystal", "--ebsd", "labels.npy", *flags)
    assert done.code == 0, done.err
    assert "drawn at random" in done.err
    assert not [name for name in done.json["statistics"] if name.startswith(("texture", "boundary"))]


@pytest.mark.parametrize("other", ["xy.ang", "grains.vti"])
def test_a_volume_comes_alone(other: str, scans, microgen) -> None:
    write(pancakes(), "grains.vti")
    done = microgen("polycrystal", "--ebsd", "grains.vti", "--ebsd", other, *SMALL, "--out", "a.tif")
    assert (done.code, "in place of scans" in done.err) == (4, True)


def test_maps_in_their_own_frame_and_in_the_sample_agree(scans) -> None:
    map_ = in_sample_frame(read("yz.ang"), "yz")
    known = pancakes().grains
    assert known is not None
    one = map_.orientation[40, 40]  # type: ignore[index]
    assert np.abs(known.orientation @ one).max() == pytest.approx(1, abs=1e-4)
    assert np.abs(known.orientation @ seen(one, "yz")).max() < 1 - 1e-4
