"""MultiSourceDataset: originals and their augmented copies, from folders of their own, as one PyTorch data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from chestxpert.copies.table import IMAGES, RECORD, TABLE, CopyTable, is_copies_folder, read_copies
from chestxpert.errors import DataError, UsageError
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.prepare import INFO
from chestxpert.torch_data.chest_xray import ChestXrayDataset, check_split
from chestxpert.torch_data.images import FileImages, Images, JoinedImages, find_files
from chestxpert.torch_data.rows import Rows
from chestxpert.torch_data.samples import Samples, TargetType, Transform

Source = str | Path | ChestXrayDataset


class MultiSourceDataset(Samples):
    """Several sources as one: dataset folders, image files, and folders of augmented copies.

    Parameters
    ----------
    sources : sequence
        Each a dataset folder, a `ChestXrayDataset` (such as `ChestXrayDataset.from_files` makes), or a folder made by
        `chestxpert data oversample`, whose copies are found by its ``augmented_images.csv``. Samples stand in this
        order, copies behind all originals.
    split : {"train", "val", "test"} or None
        Split that is taken of each dataset folder; None takes all.
    transform, target_type, channels
        See `ChestXrayDataset`.
    size : int, optional
        Side in pixels that dataset folders and copies are brought to. None: as they are, which must be one size; larger
        copies are brought to that of the originals.

    Raises
    ------
    DataError
        If an image id stands in two sources; if a copy's origin is not among the originals given, or not in train, or
        has other findings than the copy's row says; if copies are smaller than `size`, which would let a network tell
        them by their blur; if a source is none of the above, or an image file is missing.
    LabelError
        If the sources are not over the same labels.

    See Also
    --------
    chestxpert.torch_data.samples.Samples : what a sample is, and all attributes, `is_augmented` among them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        split: str | None = "train",
        *,
        transform: Transform | None = None,
        target_type: TargetType = "labels",
        size: int | None = None,
        channels: int = 1,
    ) -> None:
        check_split(split)
        if isinstance(sources, str | Path):
            raise UsageError(f"The sources are a list, such as [{str(sources)!r}, 'copies'], but got one path.")
        copies = [Path(source) for source in sources if not isinstance(source, ChestXrayDataset) and _is_copies(source)]
        originals = [_original(source, split, size) for source in sources if _path(source) not in copies]
        if not originals:
            raise DataError("Augmented copies are of no use without their originals: name the data set as well.")
        rows = Rows.join([part._rows for part in originals])
        images: list[Images] = [part._images for part in originals]
        side = JoinedImages(images).size
        tables = [read_copies(folder) for folder in copies]
        for folder, table in zip(copies, tables, strict=True):
            images.append(_copy_images(folder, table, side))
        parts = [rows, *(_copy_rows(table, rows, folder) for folder, table in zip(copies, tables, strict=True))]
        super().__init__(
            Rows.join(parts), JoinedImages(images), transform=transform, target_type=target_type, channels=channels,
            source=", ".join([*(part._source for part in originals), *map(str, copies)]),
        )  # fmt: skip


def _path(source: Source) -> Path | None:
    return None if isinstance(source, ChestXrayDataset) else Path(source)


def _is_copies(folder: str | Path) -> bool:
    return is_copies_folder(Path(folder)) and not (Path(folder) / INFO).is_file()


def _original(source: Source, split: str | None, size: int | None) -> ChestXrayDataset:
    if not isinstance(source, ChestXrayDataset):
        if Path(source).is_dir() and not (Path(source) / INFO).is_file():
            raise DataError(
                f"{source} is neither a dataset folder (it has no {INFO}) nor one of augmented copies (no {TABLE}). "
                "Image files go in as ChestXrayDataset.from_files(...)."
            )
        return ChestXrayDataset(source, split, size=size)
    if source.transform is not None:
        raise UsageError("A source's own transform is not used. Give the transform to MultiSourceDataset instead.")
    return source


def _copy_images(folder: Path, table: CopyTable, size: int) -> FileImages:
    """Images of copies at the size of the originals; DataError if they would have to be enlarged."""
    try:
        made_at = int(json.loads((folder / RECORD).read_text(encoding="utf-8"))["size"])
    except (OSError, ValueError, KeyError, TypeError):
        made_at = size  # written by another tool: its images are what they are
    if made_at < size:
        raise DataError(
            f"The copies in {folder} are {made_at} px, but {size} px are asked for. Enlarged, a network could tell "
            f"them by their blur. Ask for size={made_at}, or write copies of a data set prepared with '--size {size}'."
        )
    return FileImages(find_files(table.ids, folder / IMAGES), Preprocess(size=size))


def _copy_rows(table: CopyTable, originals: Rows, folder: Path) -> Rows:
    """Rows of copies: what their origins are, under ids of their own."""
    places = pd.Index(originals.image_ids).get_indexer(pd.Index(table.origins, dtype=object))
    astray = np.flatnonzero((places < 0) | ~np.isin(originals.splits[places], ["train", ""]))
    if len(astray):
        first = int(astray[0])
        raise DataError(
            f"{len(astray):,} of the {len(table):,} copies in {folder} were made from images that are not among the "
            f"training images given, for example {table.ids[first]} from {table.origins[first]}. Copies belong to "
            "training alone: give them with the data set they were made from, split='train'."
        )
    rows = originals.take(places.astype(np.int64))
    _check_findings(table, rows, folder)
    return replace(
        rows,
        image_ids=np.array(table.ids, dtype=object),
        origins=np.array(table.origins, dtype=object),
    )


def _check_findings(table: CopyTable, rows: Rows, folder: Path) -> None:
    space = rows.label_space
    for place, text in enumerate(table.findings):
        if (space.encode(space.parse(text)) != (rows.targets[place] == 1)).any():
            raise DataError(
                f"{folder / TABLE} says that {table.ids[place]} shows {text}, but its origin {table.origins[place]} "
                "has other findings. Was the table changed, or made from other labels?"
            )
