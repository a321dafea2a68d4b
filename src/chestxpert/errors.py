"""Every error a user can meet.

A message is written for a person: what went wrong, what was found, what to do next. The command line prints
the message alone and ends with the class's exit code; code that embeds ChestXpert catches ChestXpertError.
"""


class ChestXpertError(Exception):
    """Something a user can act on went wrong.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 1, failed; 2, wrong use.
    """

    exit_code = 1


class UsageError(ChestXpertError):
    """The request itself cannot be right: contradictory or unknown options."""

    exit_code = 2


class LabelError(ChestXpertError):
    """A finding that the label space does not know, or labels that contradict each other."""


class RecipeError(UsageError):
    """A recipe that does not say what to do: unknown key, wrong type, value out of range."""


class CohortError(ChestXpertError):
    """A cohort that breaks one of its invariants, such as a patient on two sides of the split."""


class DataError(ChestXpertError):
    """Source files that cannot be read as a data set."""


class DownloadError(ChestXpertError):
    """Files that cannot be fetched, or are not what they should be."""


class StoreError(ChestXpertError):
    """An image store that is missing, unfinished or damaged."""


class WeightsError(ChestXpertError):
    """Network weights that cannot be had or do not fit."""


class RunError(ChestXpertError):
    """A run or study folder that is missing, unfinished, or in the way."""


class PredictionsError(ChestXpertError):
    """A predictions table that is incomplete or impossible."""
