"""`microgen design`: wishes that can be met and wishes that cannot, and what is no wish."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from microgen_cli.design import Designed

from microgen import Curvatubes, Grid, Microstructure, Phase, Target, compare
from microgen.errors import InvalidParameter

SMALL = ["--shape", 48, 48, 48, "--fit", 4, "--out", "d.tif"]


@pytest.mark.usefixtures("small_search")
def test_a_porosity_and_a_thickness_are_met(microgen) -> None:
    done = microgen("design", "--porosity", 0.7, "--thickness", "150um", *SMALL, "--json")
    assert done.code == 0, done.err
    found = done.json["comparison"]
    assert found["porosity"]["achieved"] == pytest.approx(0.7, abs=0.02)
    assert found["thickness"]["achieved"] == pytest.approx(150, rel=0.05)
    assert Path("d.tif").exists()


def test_a_texture_that_does_not_form_meets_nothing(microgen, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(generator=Curvatubes(mass=-0.97), **dict.fromkeys(("status", "value", "spread", "seen")))
    monkeypatch.setattr("microgen_cli.design.searched", lambda *_, **__: found)
    monkeypatch.setattr("microgen_cli.design.fit_object", lambda _: {})
    done = microgen("design", "--porosity", 0.99, "--spacing", "10um", *SMALL)
    assert (done.code, "further from 0 and 1" in done.err, Path("d.tif").exists()) == (5, True, True)
    assert "tolerance" not in done.err  # nothing is called met


def test_what_cannot_be_met_together_is_named() -> None:
    target = Target.from_numbers({"porosity": 0.9, "thickness": 100.0})
    ball = np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0) < 10
    grid = Grid((32,) * 3, (10.0,) * 3, periodic=(True,) * 3)
    u = (10 - np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0)).astype(np.float32)
    sample = Microstructure(grid, np.where(ball, 0, -1).astype(np.int16), (Phase("solid"),), level_set=u)
    found = compare(sample, target, seed=0)
    assert found["porosity"].achieved == pytest.approx(1 - 4 / 3 * np.pi * 1000 / 32**3, abs=0.003)
    assert found["thickness"].achieved == pytest.approx(190, rel=0.08)  # of the ball, which voxels cut into steps
    problem = Designed(target, None).verdict(found)
    assert problem is not None
    assert problem.exit_code == 5
    assert "could not be met with the other wishes: porosity, thickness" in str(problem)
    assert Designed(target, None).verdict({}) is None


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ([], "--porosity"),
        (["--porosity", 1.7], "porosity"),
        (["--thickness", "7kg"], "thickness"),
        (["--wish", "colour=3"], "statistic"),
        (["--porosity", 0.7, "--wish", "volume_fraction=0.7"], "sum to 1"),
        (["--porosity", 0.7, "--wish", "porosity=0.6"], "once"),
        (["--numbers", "none.toml"], "none.toml"),
    ],
)
def test_what_is_no_wish_is_refused(flags, word, microgen) -> None:
    done = microgen("design", *flags, "--out", "d.tif")
    assert done.code in (2, 4), done.err
    assert word in done.err
    assert not Path("d.tif").exists()


def test_numbers_come_from_a_file_too(microgen) -> None:
    Path("wish.toml").write_text("porosity = 0.8\n[thickness]\nmean = 120\ncv = 0.25\ntolerance = 6\n")
    done = microgen("design", "--numbers", "wish.toml", "--dry-run", "--out", "d.tif")
    assert done.code == 0, done.err
    assert done.json["wish"] == {"porosity": 0.8, "thickness": 120, "thickness_sd": 30.0}
    assert done.json["spacing_um"][0] == pytest.approx(120 / 7, rel=0.01)


def test_tolerances_are_what_good_enough_means() -> None:
    target = Target.from_numbers({"thickness": {"mean": 100, "tolerance": 1}, "kappa_1": 0.02})
    assert target.floors(1, seed=0) == {"thickness": (0.5, 1.0), "kappa_1": (0.0005, 0.001)}
    with pytest.raises(InvalidParameter, match="tolerance"):
        Target.from_numbers({"thickness": {"mean": 100, "tolerance": 0}})
