"""Tables, pictures and the page that shows them: the only place that draws."""

from microgen.report.atlas_page import command_line, render_atlas
from microgen.report.embedding import require_umap
from microgen.report.page import render_comparison, render_report
from microgen.report.tables import Member, Table, ensemble_summary, statistics_table
from microgen.report.texture_page import texture_summary
from microgen.report.thumbnail import thumbnail

__all__ = [
    "Member",
    "Table",
    "command_line",
    "ensemble_summary",
    "render_atlas",
    "render_comparison",
    "render_report",
    "require_umap",
    "statistics_table",
    "texture_summary",
    "thumbnail",
]
