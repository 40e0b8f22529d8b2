"""Small charts as SVG text: they take the page's colours, light or dark, and stay sharp on every screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from microgen.report.png import data_uri

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 22, 42
DENSITY = (93, 127, 168)


@dataclass(frozen=True)
class Series:
    """Values of one sample, and the CSS class that colours it."""

    name: str
    values: np.ndarray
    style: str = "target"
    weights: np.ndarray | None = None
    total: float | None = None
    """What the weights are divided by; their sum when not given."""

    @property
    def shares(self) -> np.ndarray:
        """Share that each value stands for."""
        weights = np.ones(len(self.values)) if self.weights is None else np.asarray(self.weights, float)
        return weights / (self.total or weights.sum())


@dataclass(frozen=True)
class Frame:
    """From values to places in the picture."""

    low: float
    high: float
    top: float
    bottom: float = 0.0

    def x(self, value: np.ndarray | float) -> np.ndarray:
        share = (np.asarray(value, float) - self.low) / (self.high - self.low)
        return LEFT + np.clip(share, 0, 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: np.ndarray | float) -> np.ndarray:
        share = (np.asarray(value, float) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def histogram(
    series: Sequence[Series],
    *,
    label: str,
    limits: tuple[float, float] | None = None,
    bins: int = 0,
    marks: Sequence[tuple[float, str]] = (),
    lines: Sequence[tuple[np.ndarray, np.ndarray, str]] = (),
) -> str:
    """Shares per bin, first series filled, others outlined; values beyond the limits count at the ends.

    `lines` are places, densities there (1/unit) and CSS class; they are drawn as shares per bin.
    """
    edges = _bin_edges(series, limits or value_range(series), bins)
    low, high = edges[0], edges[-1]
    counts = [np.histogram(np.clip(s.values, low, high), edges, weights=s.shares)[0] for s in series]
    width = (high - low) / (len(edges) - 1)
    tallest = max([float(c.max()) for c in counts] + [width * float(y.max()) for _, y, _ in lines])
    frame = Frame(low, high, 1.12 * tallest or 1.0)
    body = [_outline(frame, edges, count, s.style) for s, count in zip(series, counts)]
    body += [_mark(frame, place, style) for place, style in marks]
    body += [f'<path class="line {style}" d="{_path(zip(frame.x(x), frame.y(width * y)))}"/>' for x, y, style in lines]
    return _chart(frame, body, label=label, vertical="share", percent=True)


def cumulative(series: Sequence[Series], *, label: str, limits: tuple[float, float] | None = None) -> str:
    """Distribution functions; the area between two of them is their Wasserstein distance."""
    low, high = limits or value_range(series)
    frame = Frame(low, high, 1.0)
    body = []
    for s in series:
        order = np.argsort(s.values, kind="stable")
        values, heights = s.values[order], np.cumsum(s.shares[order])
        if len(values) > 400:  # more steps than the picture has pixels only make the page heavy
            pick = np.linspace(0, len(values) - 1, 400).round().astype(int)
            values, heights = values[pick], heights[pick]
        x, y = np.repeat(frame.x(values), 2), np.repeat(np.concatenate([[0.0], heights]), 2)[1:-1]
        ends = [(frame.x(low), frame.y(0)), *zip(x, frame.y(y)), (frame.x(high), frame.y(1))]
        body.append(f'<path class="line {s.style}" d="{_path(ends)}"/>')
    return _chart(frame, body, label=label, vertical="cumulative share", percent=True)


def line(x: np.ndarray, y: np.ndarray, *, label: str, vertical: str) -> str:
    """A curve; of many points as many as the picture has pixels."""
    if len(x) > 400:
        pick = np.linspace(0, len(x) - 1, 400).round().astype(int)
        x, y = x[pick], y[pick]
    low, high = float(y.min()), float(y.max())
    margin = 0.06 * (high - low) or 0.5 * max(abs(low), 1e-9)
    frame = Frame(float(x.min()), float(x.max()) or 1.0, high + margin, low - margin)
    path = f'<path class="line achieved" d="{_path(zip(frame.x(x), frame.y(y)))}"/>'
    return _chart(frame, [path], label=label, vertical=vertical, percent=False)


def density(x: np.ndarray, y: np.ndarray, weights: np.ndarray, *, label: str, vertical: str, bins: int = 64) -> str:
    """Where pairs (x, y) lie, darker where they weigh more, in `bins`² cells; dashed lines x = ±y, x = 0, y = 0."""
    (low, high), (bottom, top) = (_reach(values, weights) for values in (x, y))
    frame = Frame(low, high, top, bottom)
    counts = np.histogram2d(
        y, x, (np.linspace(bottom, top, bins + 1), np.linspace(low, high, bins + 1)), weights=weights
    )[0][::-1]
    pixels = np.zeros((bins, bins, 4), np.uint8)
    pixels[..., :3] = DENSITY
    pixels[..., 3] = np.round(255 * np.sqrt(counts / max(counts.max(), 1e-300)))
    image = (
        f'<image href="{data_uri(pixels)}" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{HEIGHT - TOP - BOTTOM}" preserveAspectRatio="none"/>'
    )
    lines = [((low, 0), (high, 0)), ((0, bottom), (0, top)), _slanted(frame, 1), _slanted(frame, -1)]
    marks = "".join(_segment(frame, a, b) for a, b in lines)
    return _chart(frame, [image, marks], label=label, vertical=vertical, percent=False)


def _reach(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """From the first to the last hundredth of the values by weight, and 0, with a margin."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    places = np.searchsorted(share, np.array((0.01, 0.99)) * share[-1])
    low, high = (float(v) for v in values[order][np.minimum(places, len(values) - 1)])
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _slanted(frame: Frame, slope: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of y = slope x within the frame, which lies around 0."""
    ends = sorted((slope * frame.bottom, slope * frame.top))
    low, high = max(frame.low, ends[0]), min(frame.high, ends[1])
    return (low, slope * low), (high, slope * high)


def _segment(frame: Frame, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = ((float(frame.x(x)), float(frame.y(y))) for x, y in (start, end))
    return f'<line class="mark" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _bin_edges(series: Sequence[Series], limits: tuple[float, float], bins: int) -> np.ndarray:
    """Bins of equal width; counts (whole numbers) get one bin each, or each few where they are many."""
    low, high = limits
    if bins == 0 and all((s.values == np.round(s.values)).all() for s in series):
        width = max(1, math.ceil((high - low) / 32))
        return np.arange(math.floor(low) - 0.5, math.floor(high) + width, width)
    bins = bins or int(np.clip(round(math.sqrt(min(len(s.values) for s in series)) * 1.3), 6, 32))
    return np.linspace(low, high, bins + 1)


def bullet(distance: float, floor: float, limit: float) -> str:
    """A distance on a ruler: noise floor (tick), its p95 (end of the band) and the distance itself (dot)."""
    if not (math.isfinite(distance) and math.isfinite(limit)) or limit <= 0:
        return ""
    reach = max(1.45 * limit, 1.08 * distance)
    x = [4 + 112 * min(max(v / reach, 0), 1) for v in (distance, floor if math.isfinite(floor) else 0, limit)]
    style = "good" if distance <= limit else "bad"
    text = f"distance {distance:.3g}, noise floor {floor:.3g}, p95 {limit:.3g}"
    return (
        f'<svg class="bullet" viewBox="0 0 120 16" role="img" aria-label="{escape(text)}"><title>{escape(text)}</title>'
        f'<rect class="track" x="4" y="5" width="112" height="6" rx="3"/>'
        f'<rect class="band" x="4" y="5" width="{x[2] - 4:.1f}" height="6" rx="3"/>'
        f'<line class="tick" x1="{x[1]:.1f}" x2="{x[1]:.1f}" y1="3" y2="13"/>'
        f'<circle class="{style}" cx="{x[0]:.1f}" cy="8" r="4.5"/></svg>'
    )


def value_range(series: Sequence[Series]) -> tuple[float, float]:
    """Limits that show all but the last half percent of the values; from 0 where that costs little."""
    values = np.concatenate([np.asarray(s.values, float) for s in series])
    low, high = float(values.min()), float(np.quantile(values, 0.995))
    if low >= 0 and low < 0.2 * high:
        low = 0.0
    if not high > low:
        return low - 0.5 * max(abs(low), 1e-9), low + 0.5 * max(abs(low), 1e-9)
    margin = 0.03 * (high - low)
    return (low if low == 0 else low - margin), high + margin


def ticks(low: float, high: float, *, about: int = 8) -> np.ndarray:
    """At most about so many round numbers between two limits: steps of 1, 2 or 5 times a power of ten."""
    step = nice_step(2.5 * (high - low) / about)
    return np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step


def nice_step(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `length`."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * max(m for m in (1, 2, 5) if m * power <= length * (1 + 1e-9))


def _outline(frame: Frame, edges: np.ndarray, counts: np.ndarray, style: str) -> str:
    x, y = np.repeat(frame.x(edges), 2), np.concatenate([[0.0], np.repeat(counts, 2), [0.0]])
    return f'<path class="bars {style}" d="{_path(zip(x, frame.y(y)))}"/>'


def _mark(frame: Frame, place: float, style: str) -> str:
    if not frame.low <= place <= frame.high:
        return ""
    x = float(frame.x(place))
    return f'<line class="mark {style}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'


def _path(points) -> str:
    return "M" + "L".join(f"{float(x):.1f} {float(y):.1f}" for x, y in points)


def _chart(frame: Frame, body: Sequence[str], *, label: str, vertical: str, percent: bool) -> str:
    floor, text = HEIGHT - BOTTOM, []
    for value in ticks(frame.low, frame.high):
        x = float(frame.x(value))
        text.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{floor}" y2="{floor + 4}"/>')
        half = 4 * len(_tick(value))  # the last label must not be cut off at the border of the picture
        text.append(f'<text x="{min(x, WIDTH - half):.1f}" y="{floor + 17}" text-anchor="middle">{_tick(value)}</text>')
    for value in ticks(frame.bottom, frame.top, about=7):
        y = float(frame.y(value))
        text.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        shown = f"{_tick(100 * value)}%" if percent else _tick(value)
        text.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    text.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(label)}</text>')
    if not percent:
        text.append(f'<text class="axis" x="2" y="11">{escape(vertical)}</text>')
    about = escape(f"{vertical} over {label}")
    opening = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{about}"><title>{about}</title>'
    )
    return opening + "".join([*text, *body]) + "</svg>"


def _tick(value: float) -> str:
    return f"{value:.6g}".replace("-", "\u2212")
