"""All checks of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from chestxpert.cohort.rejects import Reject, read_rejects
from chestxpert.cohort.table import Cohort
from chestxpert.pixels.store import ImageStore
from chestxpert.progress import SILENT, Progress
from chestxpert.quality.duplicates import exact_duplicates, near_duplicates
from chestxpert.quality.flat import flat_images
from chestxpert.quality.label_versions import CHECK as LABEL_VERSION
from chestxpert.quality.label_versions import label_remarks
from chestxpert.quality.pose import pose_remarks
from chestxpert.quality.remarks import FILE, in_order, read_quality, remarks, write_quality
from chestxpert.quality.scan import scan
from chestxpert.quality.table_checks import ages, bit_depths, sex_changes, shapes, undecodable

REJECTS = "rejects.csv"


def check_images(
    cohort: Cohort,
    store: ImageStore,
    rejects: Iterable[Reject] = (),
    labels: pd.DataFrame | None = None,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Check every image of a cohort; nothing is changed.

    Parameters
    ----------
    cohort : Cohort
        Augmented copies are left aside: they are alike on purpose.
    store : ImageStore
        Holds every image of `cohort`. It is read once, piece by piece.
    rejects : iterable of Reject
        What was left out when the data set was made.
    labels : pandas.DataFrame, optional
        Remarks of `chestxpert.quality.label_remarks`.
    progress : Progress
        Is told of the images done.

    Returns
    -------
    pandas.DataFrame
        Remarks, see `chestxpert.quality.read_quality`; in the order of `CHECKS`, and duplicates the gravest first.

    Raises
    ------
    StoreError
        If the store lacks an image of the cohort.
    """
    originals = cohort.table["origin"] == ""
    if not originals.all():
        cohort = Cohort(cohort.table[originals].reset_index(drop=True), cohort.label_space)
    rows = store.rows(cohort.image_ids)
    seen = scan(store, rows, progress)
    empty, flat = flat_images(store, rows, seen)
    exact, pairs = exact_duplicates(cohort, seen, ~flat)
    alone = ~flat
    alone[pairs[:, 1]] = False
    about_labels = remarks(LABEL_VERSION, [], []) if labels is None else labels
    ours = about_labels["image_id"].isin({"", *cohort.image_ids})
    return in_order(
        [
            undecodable(rejects),
            empty,
            exact,
            near_duplicates(cohort, store, seen, alone, progress),
            ages(cohort),
            sex_changes(cohort),
            shapes(cohort, store),
            bit_depths(cohort, store),
            about_labels[ours],
            pose_remarks(cohort.image_ids, seen.thumbs, ~flat),
        ]
    )


def check_folder(
    folder: Path,
    cohort: Cohort,
    store: ImageStore,
    sources: Sequence[str | Path],
    *,
    again: bool = False,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Remarks on a dataset folder: those it holds, or if it holds none they are made and written.

    Parameters
    ----------
    folder : Path
        Dataset folder, with its ``rejects.csv``.
    cohort, store
        Its parts.
    sources : sequence of str or Path
        Where it was made from. If that is gone, what was found about versions of the labels before is kept.
    again : bool
        Make the checks even if there are remarks.
    progress : Progress

    Raises
    ------
    DataError
        If the remarks, the rejects or a label table cannot be read.
    """
    known = (folder / FILE).exists()
    if known and not again:
        return read_quality(folder)
    gone = not any(Path(source).is_dir() for source in sources)
    before = read_quality(folder).query("check == @LABEL_VERSION") if known and gone else None
    labels = label_remarks(sources, cohort.label_space) if before is None or before.empty else before
    quality = check_images(cohort, store, read_rejects(folder / REJECTS), labels, progress)
    write_quality(quality, folder)
    return read_quality(folder)
