from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from made_up import FakeStatistic

from microgen.report import Member, ensemble_summary, statistics_table
from microgen.report.tables import BLANK, length, number, numbers_table, quantity, share, verdict


def test_objective_statistics_come_first_in_their_order() -> None:
    held = FakeStatistic(in_objective=False)
    table = statistics_table({"neighbours": held, "diameter": FakeStatistic(), "aspect_ratio": FakeStatistic()})
    assert [row[0] for row in table.rows] == ["diameter", "aspect ratio", "neighbours"]
    assert [row[-1] for row in table.rows] == ["objective", "objective", "held out"]
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_a_row_holds_the_figures() -> None:
    statistic = FakeStatistic(3.14159, 3.2, 0.0477, 0.0601, 0.115)
    (row,) = statistics_table({"diameter": statistic}).rows
    assert row == ("diameter", "3.14 µm", "3.2 µm", "0.0477", "0.0601", "0.115", "yes", "objective")


def test_columns_are_named_after_what_was_measured() -> None:
    assert statistics_table({}).columns[1:3] == ("scan", "sample")
    assert statistics_table({}, ("volume", "sample")).columns[1:3] == ("volume", "sample")


@pytest.mark.parametrize(
    ("distance", "limit", "inside"),
    [(0.1, 0.1, True), (0.11, 0.1, False), (math.nan, 0.1, None), (0.1, math.nan, None), (None, 0.1, None)],
)
def test_inside_means_not_above_p95_and_unknown_stays_unknown(distance: float, limit: float, inside: bool) -> None:
    statistic = FakeStatistic(distance=distance, noise_floor_p95=limit)
    assert verdict(statistic) is inside
    assert statistics_table({"d": statistic}).rows[0][6] == {True: "yes", False: "no", None: BLANK}[inside]


def test_what_is_not_a_number_is_a_dash() -> None:
    nothing = FakeStatistic(*[math.nan] * 5, unit="")
    (row,) = statistics_table({"texture": nothing}).rows
    assert row[1:7] == (BLANK,) * 6


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1"), (12.345, "12.3"), (0.000123, "1.2e-04"), (-0.5, "-0.5"), (123456.0, "123 456")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value).replace("\u202f", " ") == text


def test_units() -> None:
    assert quantity(math.pi / 6, "rad") == "30°"
    assert quantity(2.0, "") == "2"
    assert share(0.00873) == "0.873 %"
    assert [length(x) for x in (0.03, 0.9999, 12.0, 2500.0)] == ["30 nm", "1 µm", "12 µm", "2.5 mm"]


def member(k: int, error: float, distance: float) -> Member:
    achieved = {
        "grains": 100,
        "volume_error_max_400": error,
        "statistics": {"diameter": asdict(FakeStatistic(distance=distance))},
    }
    return Member(k, 10 + k, (f"rve_{k}.tif", f"rve_{k}.csv"), achieved)


def test_summary_has_a_row_a_member_and_their_mean() -> None:
    table = ensemble_summary([member(1, 0.008, 0.02), member(2, 0.01, 0.06)])
    first, _, last = table.rows
    assert table.columns == ("member", "seed", "grains", "max (400 voxels or more)", "diameter: distance", "files")
    assert first == ("1", "11", "100", "0.8 %", "0.02", "rve_1.tif, rve_1.csv")
    assert last == ("mean ± sd", "", "100 ± 0", "0.9 % ± 0.141 %", "0.04 ± 0.0283", "")


def test_summary_of_one_and_of_members_with_gaps() -> None:
    assert len(ensemble_summary([member(1, 0.01, 0.1)]).rows) == 1
    table = ensemble_summary([member(1, 0.01, 0.1), Member(2, None, achieved={"grains": 90})])
    assert table.rows[1][1:] == (BLANK, "90", BLANK, BLANK, "")
    assert ensemble_summary([]).rows == ()


def test_numbers_of_a_texture_have_units_that_fit_the_dimension() -> None:
    found = {"specific_surface": 0.0035, "connectivity_density": 3e-07, "volume_fraction": 0.2}
    plane, volume = ({row[0]: row[1:] for row in numbers_table(found, ndim).rows} for ndim in (2, 3))
    assert plane["specific surface"] == volume["specific surface"] == ("3.5", "", "1/mm")
    assert plane["connectivity density"] == ("0.3", "", "1/mm²")
    assert volume["connectivity density"] == ("300", "", "1/mm³")
    assert plane["volume fraction"] == ("0.2", "", "")
