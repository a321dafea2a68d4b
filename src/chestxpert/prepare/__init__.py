"""Prepare: from folders and archives as NIH ships them to a dataset folder, whole or not at all."""

from chestxpert.prepare.contents import BOXES, COHORT, INFO, SCHEMA
from chestxpert.prepare.make import prepare
from chestxpert.prepare.report import REJECTS, PrepareReport

__all__ = ["BOXES", "COHORT", "INFO", "REJECTS", "SCHEMA", "PrepareReport", "prepare"]
