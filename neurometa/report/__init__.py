"""A page to mail: one self-contained HTML file on a run, or on an animal's trials."""

from neurometa.report.page import html_page, write_report
from neurometa.report.source import Source, find

__all__ = ["Source", "find", "html_page", "write_report"]
