"""The page of a data set: what is in it, before anything is trained on it."""

from chestxpert.report.dataset.build import build_data_report

__all__ = ["build_data_report"]
