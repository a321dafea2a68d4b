"""Where the label tables of some sources are, and who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chestxpert.cohort.csv_columns import CsvColumns, Lateral
from chestxpert.cohort.csv_source import CsvSource, read_csv_source, read_layout_table
from chestxpert.cohort.cxrlt import PATTERN as CXRLT_PATTERN
from chestxpert.cohort.maps import LAYOUTS
from chestxpert.cohort.nih import BOX_PATTERN, ENTRY_PATTERN, TEST_LIST, TRAIN_VAL_LIST
from chestxpert.cohort.source import NIH, SIMULATION_FILE, Source, read_source
from chestxpert.cohort.table import SIMULATED
from chestxpert.errors import DataError, UsageError
from chestxpert.labels import CXRLT20, NIH15, LabelSpace
from chestxpert.pixels.sources import FileNames, Names

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
    """

    source: Source
    folder: Path
    names: Names


@dataclass(frozen=True)
class Format:
    """Whose layout the tables have, and what of them is wanted.

    Parameters
    ----------
    name : {"nih", "csv", "chexpert", "mimic-cxr-jpg", "padchest", "vindr-cxr"}
        "csv" is any table, read as `columns` says.
    columns : CsvColumns, optional
        Which columns of a table of one's own hold what.
    table : str
        Of a known data set's label tables, the one to read; all of them if "".
    lateral : {"reject", "keep"}
        What becomes of a known data set's images that are not frontal.
    """

    name: str = NIH
    columns: CsvColumns | None = None
    table: str = ""
    lateral: Lateral = "reject"

    def check(self, labels: str, split: str) -> None:
        """UsageError if nobody reads it, or its parts contradict each other, the label space or the split."""
        known = (NIH, "csv", *LAYOUTS)
        if self.name not in known:
            raise UsageError(f"There is no format '{self.name}'. There is: {', '.join(known)}.")
        if (self.name == "csv") != (self.columns is not None):
            raise UsageError("Columns and the format 'csv' go together: say where image, patient and labels are.")
        if self.name != NIH and labels != NIH15.name:
            raise UsageError(
                f"The label space '{labels}' is for NIH's tables; that of others follows from their columns."
            )
        if split == "test" and self.name == NIH:
            raise UsageError("NIH's layout has train and test sides of its own. Split it officially or at random.")

    def arguments(self) -> dict[str, Any]:
        """What a record of the arguments says of it: nothing for NIH's own."""
        if self.name == NIH:
            return {}
        columns = None if self.columns is None else asdict(self.columns)
        return {"format": self.name, "columns": columns, "table": self.table, "lateral": self.lateral}


def read_tables(sources: Sequence[Path], form: Format, label_space: LabelSpace, way: str) -> Tables:
    """Read the tables that belong to some sources.

    They are looked for in the folders among `sources`; if there are only archives, in the folders they lie in.

    Raises
    ------
    UsageError
        If nobody reads this format.
    DataError
        If there is no usable label table, or it is not clear which tables belong together.
    """
    for source in sources:
        if not source.exists():
            raise DataError(f"There is no folder {source} and no archive. Name what holds the table and the images.")
    folders = list(dict.fromkeys(s for s in sources if s.is_dir())) or list(dict.fromkeys(s.parent for s in sources))
    if form.name == NIH:
        folder = _only(folders, _nih_patterns(label_space))
        read = read_source(folder, label_space, way)
        ids = [*read.frame["image_id"], *(reject.image_id for reject in read.rejects)]
        return Tables(read, folder, FileNames(ids))
    other = _read_other(folders[0], form)
    return Tables(other, folders[0], other.names)


def _read_other(folder: Path, form: Format) -> CsvSource:
    """Tables of another data set, which lie in the first folder that is named."""
    if form.columns is not None:
        return read_csv_source(folder, form.columns)
    return read_layout_table(folder, form.name, form.table, form.lateral)


def _nih_patterns(label_space: LabelSpace) -> Sequence[str]:
    return (CXRLT_PATTERN.format(split="*"),) if label_space.name == CXRLT20.name else (ENTRY_PATTERN,)


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
