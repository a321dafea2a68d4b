"""ChestXrayDataset: a dataset folder, or image files and a table, as a PyTorch data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import SPLITS
from chestxpert.dataset import Dataset
from chestxpert.errors import UsageError
from chestxpert.labels import label_space
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.torch_data.images import FileImages, StoreImages, find_files
from chestxpert.torch_data.rows import Rows
from chestxpert.torch_data.samples import Samples, TargetType, Transform
from chestxpert.torch_data.tables import read_label_table, read_nih_folder


class ChestXrayDataset(Samples):
    """Images of a dataset folder made by `chestxpert data prepare`, read from its memory-mapped array.

    Parameters
    ----------
    folder : str or Path
        The dataset folder.
    split : {"train", "val", "test"} or None
        Which images; None takes all.
    transform : callable, optional
        Takes the uint8 tensor (channels, size, size) in [0, 255]. None: float32 in [0, 1].
    target_type : {"labels", "findings"}
        "labels": every label of the label space, in its order. "findings": without No Finding.
    size : int, optional
        Side in pixels, at most the folder's, which is taken if None. A smaller one is averaged over areas, once, and
        kept in the folder as ``pixels-SIZE``.
    channels : {1, 3}
        3 repeats the grey values, for networks that were trained on colour.

    Raises
    ------
    DataError, CohortError, StoreError
        If the folder is no data set, is damaged, or has no image in `split`.

    See Also
    --------
    ChestXrayDataset.from_files : straight from image files.
    chestxpert.torch_data.samples.Samples : what a sample is, and all attributes.

    Examples
    --------
    >>> train = ChestXrayDataset("data/nih", "train", channels=3)          # doctest: +SKIP
    >>> loader = DataLoader(train, batch_size=32, shuffle=True, num_workers=4)          # doctest: +SKIP
    """

    rejects: tuple[Reject, ...] = ()
    """What of an NIH folder is left out, and why; always empty for a dataset folder, which has a list of its own."""

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        *,
        transform: Transform | None = None,
        target_type: TargetType = "labels",
        size: int | None = None,
        channels: int = 1,
    ) -> None:
        check_split(split)
        data = Dataset.load(folder)
        rows = Rows.from_cohort(data.cohort)
        chosen = rows.of_split(split)
        store = data.store if size is None else data.store.at_size(size)
        images = StoreImages(store, data.pixel_rows()[chosen])
        super().__init__(
            rows.take(chosen), images, transform=transform, target_type=target_type, channels=channels,
            source=_told(folder, split),
        )  # fmt: skip

    @classmethod
    def from_files(
        cls,
        table: str | Path,
        images: str | Path | None = None,
        split: str | None = None,
        *,
        labels: str = "nih15",
        transform: Transform | None = None,
        target_type: TargetType = "labels",
        size: int = 224,
        channels: int = 1,
        val_fraction: float = 0.2,
        seed: int = 0,
    ) -> ChestXrayDataset:
        """Straight from image files, decoded and brought to `size` each time one is read.

        Nothing is prepared beforehand and nothing is kept, so an epoch costs some 10 ms an image of 1024 px and core;
        for more than one or two epochs `chestxpert data prepare` pays.

        Parameters
        ----------
        table : str or Path
            A folder as NIH ships it: split, labels and images are those that `prepare` would make of it with the same
            `labels`, `val_fraction` and `seed`, and what it leaves out is in `rejects`. Or a CSV file: a column
            ``image_id``, ``Image Index`` or ``id``; findings, either in one column ``Finding Labels`` or ``findings``
            (``Effusion|Mass``), or in a column for each label (1, 0, and -1 or empty where unknown); and if there are
            any, ``patient_id`` and ``split``.
        images : str or Path, optional
            Folder with the image files, at any depth. Needed for a CSV file; for an NIH folder it is that folder.
        split : {"train", "val", "test"} or None
            Which images; None takes all.
        labels : {"nih15", "cxrlt20"}
            Label space.
        transform, target_type, channels
            See `ChestXrayDataset`.
        size : int
            Side in pixels.
        val_fraction, seed
            See `chestxpert.dataset.prepare`.

        Raises
        ------
        DataError
            If the table or an image file is missing, or the table cannot be read. A file that turns out to be damaged
            is a DataError when it is read.
        LabelError
            If a finding is unknown.
        """
        check_split(split)
        path, preprocess, space = Path(table), Preprocess(size=size), label_space(labels)
        rejects: Sequence[Reject] = ()
        if path.is_dir():
            if images is not None and Path(images).resolve() != path.resolve():
                raise UsageError(f"{path} is a folder as NIH ships it, whose images lie below it. Leave `images` out.")
            rows, paths, rejects = read_nih_folder(path, space, val_fraction, seed)
            chosen = rows.of_split(split)
            files = [paths[str(name)] for name in rows.image_ids[chosen]]
        else:
            if images is None:
                raise UsageError(f"{path} is a table, so `images` must name the folder that its image files lie in.")
            rows = read_label_table(path, space)
            chosen = rows.of_split(split)
            files = find_files([str(name) for name in rows.image_ids[chosen]], Path(images))
        made = cls.__new__(cls)
        Samples.__init__(
            made, rows.take(chosen), FileImages(files, preprocess), transform=transform, target_type=target_type,
            channels=channels, source=_told(path, split),
        )  # fmt: skip
        made.rejects = tuple(rejects)
        return made


def check_split(split: str | None) -> None:
    """Raise UsageError if `split` is none of those there are."""
    if split is not None and split not in SPLITS:
        raise UsageError(f"The split is one of {', '.join(SPLITS)}, or None for all images, but got {split!r}.")


def _told(path: str | Path, split: str | None) -> str:
    return f"{path} ({split})" if split else str(path)
