"""The report of a study: figures and a page drawn from evaluation tables, never from a model or an image.

The page of a data set, which does show images, is `chestxpert.report.dataset`.
"""

from chestxpert.report.build import build_report
from chestxpert.report.files.figures import check_figures, write_figures
from chestxpert.report.files.tables import write_tables
from chestxpert.report.text import summary_text

__all__ = ["build_report", "check_figures", "summary_text", "write_figures", "write_tables"]
