"""What NIH's corrected label table of 2020 says differently from that of 2017."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.nih import FIRST_ENTRIES, SECOND_ENTRIES, find_entries, read_entry_table
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.quality.remarks import about_check, remarks

CHECK = "label-version"


def label_changes(folder: str | Path, label_space: LabelSpace) -> pd.DataFrame:
    """Images to which the two versions of NIH's label table in a folder give different findings.

    Parameters
    ----------
    folder : str or Path
        Source folder.
    label_space : LabelSpace
        Findings of the data set.

    Returns
    -------
    pandas.DataFrame
        Columns ``image_id``, ``old`` and ``new``, the findings of 2017 and of v2020 such as "Mass|Nodule", in the
        order of v2020; no rows unless both versions are there. An image in only one of them is left aside.

    Raises
    ------
    DataError
        If a table cannot be read.
    """
    second, first = find_entries(Path(folder))
    if second is None or first is None:
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in ("image_id", "old", "new")})
    columns = list(label_space.labels)
    old, new = (read_entry_table(path, label_space).frame.set_index("image_id")[columns] for path in (first, second))
    shared = new.index[new.index.isin(old.index)]
    # An unknown finding counts as absent here: neither version of NIH's table has any.
    before, after = (table.loc[shared].astype("boolean").fillna(False).to_numpy(dtype=np.bool_) for table in (old, new))
    changed = (before != after).any(axis=1)
    return pd.DataFrame(
        {
            "image_id": shared[changed].to_numpy(dtype=object),
            "old": _texts(before[changed], columns),
            "new": _texts(after[changed], columns),
        },
        dtype="str",
    )


def _texts(labels: npt.NDArray[np.bool_], names: Sequence[str]) -> list[str]:
    return ["|".join(name for name, there in zip(names, row, strict=True) if there) for row in labels]


def label_remarks(folders: Sequence[str | Path], label_space: LabelSpace) -> pd.DataFrame:
    """Remarks on the version of NIH's label table that a data set was made from.

    Parameters
    ----------
    folders : sequence of str or Path
        Source folders. What is no folder (an archive, or a place that is gone) is left aside.
    label_space : LabelSpace
        Findings of the data set. Only ``nih15`` comes from that table.
    """
    there = [Path(folder) for folder in folders if Path(folder).is_dir()]
    if label_space.fingerprint != NIH15.fingerprint:
        return remarks(CHECK, [], [])
    if not there:
        return about_check(CHECK, f"Not made: the source ({', '.join(map(str, folders))}) is no folder that is there.")
    changes = pd.concat([label_changes(folder, label_space) for folder in there], ignore_index=True)
    details = [f"{old} (2017) became {new} (v2020)." for old, new in zip(changes["old"], changes["new"], strict=True)]
    found = remarks(CHECK, changes["image_id"], details)
    tables = [find_entries(folder) for folder in there]
    if any(first for _, first in tables):
        note = (
            f"{FIRST_ENTRIES} and {SECOND_ENTRIES} are both there; the second is used. They differ on {len(found):,} "
            "images."
        )
    elif [used.name.removesuffix(".gz") for used, _ in tables if used] == [FIRST_ENTRIES]:
        note = (
            f"The labels are NIH's first ({FIRST_ENTRIES}). {SECOND_ENTRIES} corrects 181 images, all in the official "
            "test set: put it beside the first and prepare the data set anew."
        )
    else:
        return found
    return pd.concat([about_check(CHECK, note), found], ignore_index=True)
