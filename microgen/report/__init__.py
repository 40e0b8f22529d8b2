"""Tables, pictures and the page that shows them: the only place that draws."""

from microgen.report.atlas_page import command_line, render_atlas
from microgen.report.embedding import require_umap
from microgen.report.film import draw_film
from microgen.report.page import render_comparison, render_report
from microgen.report.painting import WAYS
from microgen.report.sheet import MOST_TILES, contact_sheet, draw_sheet, tile
from microgen.report.tables import Member, Table, ensemble_summary, statistics_table
from microgen.report.texture_page import texture_summary
from microgen.report.thumbnail import thumbnail
from microgen.report.viewer import render_viewer
from microgen.report.window import has_screen, require_screen, show_window

__all__ = [
    "MOST_TILES",
    "WAYS",
    "Member",
    "Table",
    "command_line",
    "contact_sheet",
    "draw_film",
    "draw_sheet",
    "ensemble_summary",
    "has_screen",
    "render_atlas",
    "render_comparison",
    "render_report",
    "render_viewer",
    "require_screen",
    "require_umap",
    "show_window",
    "statistics_table",
    "texture_summary",
    "thumbnail",
    "tile",
]
