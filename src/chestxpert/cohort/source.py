"""A source folder in NIH's layout: which tables it holds, and how its images are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort import splits
from chestxpert.cohort.cxrlt import place_by_lists, place_by_tables, read_cxrlt
from chestxpert.cohort.nih import OfficialLists, read_boxes, read_entries, read_lists
from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import SIMULATED, label_array
from chestxpert.errors import CohortError, DataError
from chestxpert.labels import CXRLT20, LabelSpace

NIH = "nih"
SIMULATION_FILE = "simulation.json"
"""The simulator leaves this file beside its images; no folder that has it can pass for real data."""

SPLIT_WAYS = ("auto", "official", "random")


@dataclass(frozen=True)
class Source:
    """Everything the tables of a source folder say.

    Parameters
    ----------
    kind : str
        "nih", or "simulated" if the folder holds a ``simulation.json``.
    label_space : LabelSpace
        Findings of `frame`.
    frame : pandas.DataFrame
        Columns of a Cohort's table, not yet split.
    lists : OfficialLists or None
        The official lists, if they are there.
    boxes : pandas.DataFrame
        See `chestxpert.cohort.nih.read_boxes`.
    rejects : list of Reject
        Rows that could not be used.
    """

    kind: str
    label_space: LabelSpace
    frame: pd.DataFrame
    lists: OfficialLists | None
    boxes: pd.DataFrame
    rejects: list[Reject]


def read_source(folder: Path, label_space: LabelSpace, way: str = "auto") -> Source:
    """Read tables, boxes and (but for the way "random") official lists of a folder.

    Raises
    ------
    DataError
        If the folder has no readable label table, or only one of the two lists.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Name the folder that holds the label table and the images.")
    read = read_cxrlt if label_space.name == CXRLT20.name else read_entries
    table = read(folder, label_space)
    kind = SIMULATED if (folder / SIMULATION_FILE).exists() else NIH
    boxes, bad_boxes = read_boxes(folder, label_space)
    lists = None if way == "random" else read_lists(folder)
    return Source(kind, label_space, table.frame.assign(source=kind), lists, boxes, [*table.rejects, *bad_boxes])


@dataclass(frozen=True)
class Split:
    """How the images of a source are split.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows that have a side, with ``split`` filled in.
    way : str
        "official", "tables" (NIH-CXR-LT's own three tables) or "random".
    rejects : list of Reject
        Rows without a side.
    notes : tuple of str
        What a user should know about this split.
    """

    frame: pd.DataFrame
    way: str
    rejects: Sequence[Reject]
    notes: tuple[str, ...]


def split_source(source: Source, frame: pd.DataFrame, way: str, val_fraction: float, seed: int) -> Split:
    """Split the rows of `frame`, which are the rows of `source` whose images are there.

    Parameters
    ----------
    source : Source
        Gives the label space and the official lists.
    frame : pandas.DataFrame
        Rows to split.
    way : {"auto", "official", "random"}
        "official" needs the lists (or NIH-CXR-LT's tables, which carry a split of their own); "auto" is official
        where that can be had, else random.
    val_fraction : float
        Share of the patients that are not for testing who become validation.
    seed : int
        Same seed, same split.

    Raises
    ------
    CohortError
        If an official split is asked for and cannot be had, or a side would be empty.
    """
    patients = frame["patient_id"].to_numpy(dtype=object)
    labels = label_array(frame, source.label_space)
    if way == "random":
        return _done(frame, splits.random_split(patients, labels, val_fraction, seed), "random")
    if source.lists is not None:
        return _by_lists(source, frame, val_fraction, seed)
    if (frame["split"] != "").all():
        return _by_tables(frame, patients, labels, val_fraction, seed)
    if way == "official":
        raise CohortError(
            "An official split was asked for, but the source has no train_val_list.txt and test_list.txt. Put them "
            "beside the label table, or split at random ('--split random')."
        )
    note = "There are no official lists, so the split is random (by patient)."
    return _done(frame, splits.random_split(patients, labels, val_fraction, seed), "random", note)


def _done(frame: pd.DataFrame, split: npt.NDArray[np.object_], way: str, *notes: str) -> Split:
    return Split(frame.assign(split=split), way, [], notes)


def _by_lists(source: Source, frame: pd.DataFrame, val_fraction: float, seed: int) -> Split:
    """Official test stays test; validation is cut from train_val by patient."""
    assert source.lists is not None
    if source.label_space.name == CXRLT20.name:
        sides = place_by_lists(frame, source.lists)
    else:
        sides = splits.official_sides(frame["image_id"].to_numpy(dtype=object), source.lists)
    inside = sides != ""
    rejects = [Reject(name, "not-listed", "in neither list") for name in frame["image_id"][~inside]]
    kept = frame[inside].reset_index(drop=True)
    labels = label_array(kept, source.label_space)
    split = splits.cut_validation(sides[inside], kept["patient_id"].to_numpy(dtype=object), labels, val_fraction, seed)
    return Split(kept.assign(split=split), "official", rejects, ())


def _by_tables(
    frame: pd.DataFrame,
    patients: npt.NDArray[np.object_],
    labels: npt.NDArray[np.bool_],
    val_fraction: float,
    seed: int,
) -> Split:
    """NIH-CXR-LT's own split, patients kept together; validation is cut from train if that table is missing."""
    split = place_by_tables(frame)
    moved = int((split != frame["split"].to_numpy(dtype=object)).sum())
    notes = [f"{moved} images follow their patient to another side than their table says."] if moved else []
    splits.check_sides(np.where(split == "test", "test", "train_val").astype(object), patients)
    if not (split == "train").any():
        raise CohortError(
            "NIH-CXR-LT's training table is not there, so no image is left to train on. Add it, or the official "
            "lists, or split at random ('--split random')."
        )
    if not (split == "val").any():
        sides = np.where(split == "test", "test", "train_val").astype(object)
        split = splits.cut_validation(sides, patients, labels, val_fraction, seed)
        notes.append("The validation table is not there, so validation is cut from train by patient.")
    return _done(frame, split, "tables", *notes)
