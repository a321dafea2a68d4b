"""Where the label tables of some sources are, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from chestxpert.cohort.cxrlt import PATTERN as CXRLT_PATTERN
from chestxpert.cohort.nih import BOX_PATTERN, ENTRY_PATTERN, TEST_LIST, TRAIN_VAL_LIST
from chestxpert.cohort.source import NIH, SIMULATION_FILE, Source, Split, read_source, split_source
from chestxpert.cohort.table import SIMULATED
from chestxpert.errors import DataError, UsageError
from chestxpert.labels import CXRLT20, LabelSpace
from chestxpert.pixels.sources import FileNames, Names

SplitRows = Callable[[Source, pd.DataFrame, str, float, int], Split]

_COMPANIONS = (TRAIN_VAL_LIST, TEST_LIST, BOX_PATTERN, SIMULATION_FILE)


@dataclass(frozen=True)
class Tables:
    """What the tables say, and how image files are assigned to their rows.

    Parameters
    ----------
    source : Source
        Rows, lists and boxes.
    folder : Path
        Where they were found.
    names : Names
        Also knows the rows that cannot be used, so that their images are not called strangers.
    split : callable
        See `Reader`.
    """

    source: Source
    folder: Path
    names: Names
    split: SplitRows


@dataclass(frozen=True)
class Reader:
    """How a format is read.

    Parameters
    ----------
    patterns : callable
        Patterns of the label table's name, for a label space.
    read : callable
        Called as read(folder, label_space, way of splitting).
    names : callable
        Called with what was read.
    split : callable
        Called as split(what was read, rows whose images are there, way, share of validation, seed).
    """

    patterns: Callable[[LabelSpace], Sequence[str]]
    read: Callable[[Path, LabelSpace, str], Source]
    names: Callable[[Source], Names]
    split: SplitRows


def _nih_patterns(label_space: LabelSpace) -> Sequence[str]:
    return (CXRLT_PATTERN.format(split="*"),) if label_space.name == CXRLT20.name else (ENTRY_PATTERN,)


def _file_names(source: Source) -> Names:
    return FileNames([*source.frame["image_id"], *(reject.image_id for reject in source.rejects)])


READERS: Mapping[str, Reader] = {NIH: Reader(_nih_patterns, read_source, _file_names, split_source)}


def read_tables(sources: Sequence[Path], format: str, label_space: LabelSpace, way: str) -> Tables:
    """Read the tables that belong to some sources.

    They are looked for in the folders among `sources`; if there are only archives, in the folders they lie in.

    Raises
    ------
    UsageError
        If nobody reads this format.
    DataError
        If there is no usable label table, or it is not clear which tables belong together.
    """
    if format not in READERS:
        raise UsageError(f"There is no format '{format}'. There is: {', '.join(READERS)}.")
    reader = READERS[format]
    for source in sources:
        if not source.exists():
            raise DataError(f"There is no folder {source} and no archive. Name what holds the table and the images.")
    folders = list(dict.fromkeys(s for s in sources if s.is_dir())) or list(dict.fromkeys(s.parent for s in sources))
    folder = _only(folders, reader.patterns(label_space))
    read = reader.read(folder, label_space, way)
    return Tables(read, folder, reader.names(read), reader.split)


def check_simulated(tables: Tables, marked: Sequence[Path]) -> None:
    """DataError if images are marked as simulated and the tables are not: they would pass for radiographs."""
    if marked and tables.source.kind != SIMULATED:
        raise DataError(
            f"{marked[0]} holds simulated images ({SIMULATION_FILE}), but {tables.folder}, where the label table is, "
            f"has no {SIMULATION_FILE}. Put it there: simulated images must stay marked."
        )


def _only(folders: Sequence[Path], patterns: Sequence[str]) -> Path:
    """The one of several folders that holds the label table; what belongs to that must lie beside it."""
    if len(folders) == 1:
        return folders[0]
    holders = [folder for folder in folders if _first(folder, patterns)]
    if not holders:
        raise DataError(
            f"None of {', '.join(map(str, folders))} holds a label table ({' or '.join(patterns)}, plain or .gz). It "
            "is looked for in the folders that are named, not below them and not in archives."
        )
    if len(holders) > 1:
        raise DataError(f"Label tables lie in {' and in '.join(map(str, holders))}. Move all but one elsewhere.")
    for folder in folders:
        if folder != holders[0] and (stray := _first(folder, _COMPANIONS)):
            raise DataError(f"{stray} does not lie beside the label table in {holders[0]}. Put them into one folder.")
    return holders[0]


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next((path for p in patterns for end in ("", ".gz") for path in sorted(folder.glob(p + end))), None)
