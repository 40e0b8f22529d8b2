"""Tables, pictures and the page that shows them: the only place that draws."""

from microgen.report.page import render_report
from microgen.report.tables import Member, Table, ensemble_summary, statistics_table
from microgen.report.texture_page import texture_summary

__all__ = ["Member", "Table", "ensemble_summary", "render_report", "statistics_table", "texture_summary"]
