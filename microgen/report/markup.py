"""Pieces of HTML that the sections share. Every text that comes from outside passes `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from microgen.report.charts import nice_step
from microgen.report.png import data_uri
from microgen.report.tables import Table, length

TALLEST = 560
"""Height above which a map is made narrower than its column, pixels of the screen."""


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str, *, style: str = "") -> str:
    return f'<p class="{style}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def row(parts: Iterable[str], *, least: int = 300) -> str:
    """Parts side by side in columns of at least `least` pixels, below one another on a narrow screen."""
    return f'<div class="row" style="--least:{least}px">{"".join(parts)}</div>'


def columns(parts: Iterable[str], count: int) -> str:
    """Parts in so many columns however narrow the screen: for pictures whose place in the rows means something."""
    return (
        f'<div class="row" style="grid-template-columns:repeat({count},minmax(0,1fr));gap:14px">{"".join(parts)}</div>'
    )


def card(title: str, *parts: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{"".join(parts)}</div>'


def facts(items: Iterable[tuple[str, str]]) -> str:
    """Names and values below one another."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in items) + "</dl>"


def table(cells: Table, *, extra: Sequence[str] = (), extra_head: str = "", judged: str = "") -> str:
    """A table; `extra` holds markup for one more column, cells yes/no of the column `judged` are coloured."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in (*cells.columns, *([extra_head] if extra else [])))
    body = []
    for k, texts in enumerate(cells.rows):
        tds = [_cell(text, name == judged) for name, text in zip(cells.columns, texts)]
        tds += [f"<td>{extra[k]}</td>"] if extra else []
        body.append(f"<tr>{''.join(tds)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def map_figure(pixels: np.ndarray, width: float, *, caption: str, relative: float = 1.0) -> str:
    """A map with its scale bar; `width` µm across, shown on `relative` of the column's width."""
    bar = scale_bar(width)
    tall = TALLEST * pixels.shape[1] / pixels.shape[0]
    return (
        f'<figure><div class="frame" style="width:min({100 * relative:.2f}%,{tall:.0f}px)">'
        f'<img alt="{escape(caption)}" src="{data_uri(pixels)}">'
        f'<div class="scale" style="width:{100 * bar / width:.2f}%">{length(bar)}</div></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def box_figure(pixels: np.ndarray, labels: Iterable[tuple[str, tuple[float, float]]], *, caption: str) -> str:
    """The view of a box with the lengths of its edges beside them; places as fractions of the picture."""
    spots = "".join(
        f'<b style="left:{100 * x:.1f}%;top:{100 * y:.1f}%;transform:translate({shift})">{escape(text)}</b>'
        for (text, (x, y)), shift in zip(labels, ("-105%,40%", "-108%,-95%", "-112%,-50%"))
    )
    image = f'<img alt="{escape(caption)}" src="{data_uri(pixels)}">'
    return (
        f'<figure><div class="box"><div>{image}{spots}</div></div><figcaption>{escape(caption)}</figcaption></figure>'
    )


def chips(items: Iterable[tuple[str, bool | None]]) -> str:
    """Short statements, green where good, red where bad."""
    style = {True: "chip good", False: "chip bad", None: "chip"}
    texts = "".join(f'<li class="{style[good]}">{escape(text)}</li>' for text, good in items)
    return f'<ul class="chips">{texts}</ul>'


def legend(items: Iterable[tuple[str, str]]) -> str:
    """Names with their swatches; the swatch is a CSS class or, with a #, a colour."""
    entries = []
    for name, look in items:
        swatch = f'<i style="background:{look}"></i>' if look.startswith("#") else f'<i class="{look}"></i>'
        entries.append(f"<li>{swatch}{escape(name)}</li>")
    return f'<ul class="legend">{"".join(entries)}</ul>'


def scale_bar(width: float) -> float:
    """Length of a scale bar for a map `width` µm across: 1, 2 or 5 times a power of ten, at most a third of it."""
    return nice_step(width / 3)


def _cell(text: str, judged: bool) -> str:
    style = {"yes": ' class="good"', "no": ' class="bad"'}.get(text, "") if judged else ""
    return f"<td{style}>{escape(text)}</td>"
