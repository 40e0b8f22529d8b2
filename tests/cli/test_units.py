"""Units in numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from microgen_cli._units import angle, bytes_text, length, time_text

from microgen.errors import InvalidParameter


@pytest.mark.parametrize(
    ("text", "micrometres"),
    [("0.5", 0.5), ("0.5um", 0.5), ("0.5 µm", 0.5), ("500nm", 0.5), ("0.02mm", 20.0), ("1e-6m", 1.0), (".5", 0.5)],
)
def test_lengths_are_in_micrometres(text: str, micrometres: float) -> None:
    assert length(text) == pytest.approx(micrometres, rel=1e-15)


@pytest.mark.parametrize(("text", "degrees"), [("5", 5.0), ("5deg", 5.0), ("5°", 5.0), ("0.1rad", 5.729577951308232)])
def test_angles_are_in_degrees(text: str, degrees: float) -> None:
    assert angle(text) == pytest.approx(degrees, rel=1e-14)


def test_same_length_in_other_units_is_the_same_number() -> None:
    assert length("500nm") == length("0.5um") == length("0.5")


@pytest.mark.parametrize("text", ["", "um", "5 parsec", "1,5", "0.5umm", "nan", "5deg", "--1"])
def test_what_is_no_length_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match="--spacing: expected a length such as"):
        length(text, "--spacing")


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_plain_numbers_come_back_exactly(value: float) -> None:
    assert length(repr(value)) == value
    assert length(f"{value!r}um") == value


def test_texts_for_readers() -> None:
    assert [time_text(s) for s in (0.44, 12.3, 185)] == ["0.4 s", "12 s", "3 min 05 s"]
    assert [bytes_text(b) for b in (512, 3 << 20, 5 << 30)] == ["512 B", "3 MiB", "5.0 GiB"]
