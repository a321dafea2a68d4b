"""Predictions that another tool made, measured as a run's are: `read` a table, or `evaluate` some of them at once.

`table` has a file's cells, `columns` says which of them are what, `numbers` makes probabilities of them, and `rows`
finds each row's image. Nothing is dropped in silence: what cannot be used is an error, or stands in the record.
"""

from chestxpert.evaluation.external.evaluate import evaluate_predictions
from chestxpert.evaluation.external.read import External, read_external

__all__ = ["External", "evaluate_predictions", "read_external"]
