"""A survey: honest rows, whatever the workers."""

from __future__ import annotations

import math

import pytest

from microgen import CurvaturePrior, Grid, survey
from microgen.atlas import COLUMNS
from microgen.errors import InvalidParameter

BOX = Grid((20, 20, 20), (0.01,) * 3, periodic=(True,) * 3)


def rows(numbers: list[int], workers: int, **options) -> dict[int, dict]:
    """Row of each number, without its time."""
    made = {entry.row["sample"]: dict(entry.row) for entry in survey(BOX, numbers, seed=1, workers=workers, **options)}
    for row in made.values():
        assert row.pop("seconds") > 0
    return made


def test_rows_depend_neither_on_workers_nor_on_order() -> None:
    one, two = rows([1, 2], 1), rows([2, 1], 2)
    for number, row in two.items():
        assert set(row) | {"seconds"} == set(COLUMNS)
        assert {k: v for k, v in row.items() if v == v} == {k: v for k, v in one[number].items() if v == v}


def test_a_draw_without_texture_is_a_row_too() -> None:
    thick = CurvaturePrior(mass=(-0.97, -0.96), curvature=80.0)
    row = rows([1], 1, prior=thick)[1]
    assert row["status"] == "no_texture"
    assert math.isnan(row["thickness"])
    assert -0.97 <= row["mass"] <= -0.96


@pytest.mark.parametrize(
    ("name", "options"),
    [("workers", {"workers": 0}), ("eps", {"eps": 0.01}), ("eps", {"eps": 0.03}), ("numbers", {"numbers": [0]})],
)
def test_impossible_surveys_are_refused_before_anything_is_made(name: str, options: dict) -> None:
    with pytest.raises(InvalidParameter, match=name):
        survey(BOX, **({"numbers": [1], "seed": 0} | options))
