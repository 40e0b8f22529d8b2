from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from microgen.report.charts import WIDTH, Frame, Series, bullet, cumulative, histogram, nice_step, ticks, value_range


def points(svg: str, kind: str) -> list[np.ndarray]:
    """Vertices of the paths of a class, in pixels."""
    paths = [p.attrib["d"] for p in ElementTree.fromstring(svg).iter("path") if kind in p.attrib["class"].split()]
    return [np.array(re.findall(r"-?\d+\.\d", d), float).reshape(-1, 2) for d in paths]


def test_bars_show_the_shares() -> None:
    svg = histogram([Series("a", np.array([0.5, 1.5, 1.6, 1.7]))], label="d", limits=(0.0, 2.0), bins=2)
    (bars,) = points(svg, "bars")
    frame = Frame(0.0, 2.0, 1.12 * 0.75)
    expected = [[frame.x(x), frame.y(y)] for x, y in ((0, 0), (0, 0.25), (1, 0.25), (1, 0.75), (2, 0.75), (2, 0))]
    assert bars == pytest.approx(np.array(expected), abs=0.06)


def test_values_beyond_the_limits_count_at_the_ends() -> None:
    inside = histogram([Series("a", np.array([0.1, 1.9]))], label="d", limits=(0.0, 2.0), bins=2)
    beyond = histogram([Series("a", np.array([-9.0, 99.0]))], label="d", limits=(0.0, 2.0), bins=2)
    assert inside == beyond


def test_whole_numbers_get_a_bin_each() -> None:
    svg = histogram([Series("a", np.array([3.0, 4, 4, 5, 6, 6, 6, 7]))], label="neighbours")
    (bars,) = points(svg, "bars")
    tops = bars[1:-1:2, 1].max() - bars[1:-1:2, 1]
    assert tops[-5:] / tops[-1] == pytest.approx([1, 2, 1, 3, 1], abs=0.02)


def test_weights_count_in_the_curve() -> None:
    series = Series("a", np.array([2.0, 1.0]), weights=np.array([3.0, 1.0]))
    (curve,) = points(cumulative([series], label="d", limits=(0.0, 3.0)), "line")
    frame = Frame(0.0, 3.0, 1.0)
    steps = [(0, 0), (1, 0), (1, 0.25), (2, 0.25), (2, 1), (3, 1)]
    assert curve == pytest.approx(np.array([[frame.x(x), frame.y(y)] for x, y in steps]), abs=0.06)


def test_many_values_make_no_long_path() -> None:
    values = np.random.default_rng(0).lognormal(size=50_000)
    svg = cumulative([Series("a", values)], label="d")
    (curve,) = points(svg, "line")
    assert len(svg) < 30_000
    assert (np.diff(curve[:, 1]) <= 0).all()
    assert (np.diff(curve[:, 0]) >= 0).all()


@pytest.mark.parametrize("values", [np.full(9, 2.5), np.zeros(4), np.array([-1.0, 1.0]), np.array([7.0, 7.0])])
def test_odd_samples_are_drawn(values: np.ndarray) -> None:
    low, high = value_range([Series("a", values)])
    assert low < high
    for draw in (histogram, cumulative):
        assert "nan" not in draw([Series("a", values)], label="a < b")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3e-5, 2e-5), (17.0, 1.2e6), (99.9, 100.1)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    places = ticks(low, high)
    assert 2 <= len(places) <= 9
    assert ((places >= low - 1e-9) & (places <= high + 1e-9)).all()
    assert np.allclose(places / nice_step(places[1] - places[0]), np.round(places / nice_step(places[1] - places[0])))


@pytest.mark.parametrize(("length", "step"), [(1.0, 1.0), (1.9, 1.0), (2.0, 2.0), (49, 20), (0.05, 0.05), (7e-4, 5e-4)])
def test_steps_are_one_two_or_five(length: float, step: float) -> None:
    assert nice_step(length) == pytest.approx(step)


@pytest.mark.parametrize(("distance", "style"), [(0.05, "good"), (0.1, "good"), (0.11, "bad"), (5.0, "bad")])
def test_the_dot_is_left_of_the_end_of_the_band_when_inside(distance: float, style: str) -> None:
    svg = ElementTree.fromstring(bullet(distance, 0.04, 0.1))
    dot, band = svg.find("circle"), svg.findall("rect")[1]
    assert dot is not None
    assert dot.attrib["class"] == style
    end = float(band.attrib["x"]) + float(band.attrib["width"])
    assert (float(dot.attrib["cx"]) <= end + 0.1) == (style == "good")
    assert float(dot.attrib["cx"]) <= 116


@pytest.mark.parametrize("figures", [(np.nan, 0.1, 0.2), (0.1, 0.1, np.nan), (0.1, 0.1, 0.0), (np.inf, 0.1, 0.2)])
def test_no_ruler_without_figures(figures: tuple[float, float, float]) -> None:
    assert bullet(*figures) == ""


def test_the_last_label_stays_in_the_picture() -> None:
    svg = histogram([Series("a", np.linspace(0, 1000, 50))], label="d", limits=(0.0, 1000.0), bins=10)
    labels = [t for t in ElementTree.fromstring(svg).iter("text") if t.text == "1000"]
    assert float(labels[0].attrib["x"]) + 4 * len("1000") <= WIDTH
