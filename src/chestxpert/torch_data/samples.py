"""Samples: what every data set here is, whatever its images come from."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Literal, SupportsIndex

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from chestxpert.errors import DataError, UsageError
from chestxpert.imbalance.weights import pos_weight
from chestxpert.labels import LabelSpace
from chestxpert.torch_data.images import Images
from chestxpert.torch_data.rows import Rows, TextArray

Sample = tuple[Tensor, Tensor, str]
"""Image, target and image id."""
Transform = Callable[[Tensor], Tensor]
TargetType = Literal["labels", "findings"]


class Samples(Dataset[Sample]):
    """(image, target, image id) by position, for `torch.utils.data.DataLoader`.

    **Image.** Without `transform` a float32 tensor (channels, size, size) in [0, 1], 0 black. With `transform`,
    whatever it makes of the uint8 tensor (channels, size, size) in [0, 255]: transforms of torchvision.transforms.v2
    fit.

    **Target.** float32 tensor (K,), a 1 or 0 for each of `classes`, and NaN where the label is unknown, which a loss
    must leave out (`chestxpert.imbalance.masked_bce` takes a mask).

    Parameters
    ----------
    rows : Rows
    images : Images
        As many, in the same order.
    transform : callable, optional
    target_type : {"labels", "findings"}
        "labels": every label of the label space, in its order. "findings": without No Finding.
    channels : {1, 3}
        3 repeats the grey values, for networks that were trained on colour.
    source : str
        Where the images come from, for `repr`.

    Attributes
    ----------
    classes : tuple of str
        What the columns of a target mean.
    label_space : LabelSpace
    """

    def __init__(
        self,
        rows: Rows,
        images: Images,
        *,
        transform: Transform | None,
        target_type: TargetType,
        channels: int,
        source: str,
    ) -> None:
        if target_type not in ("labels", "findings"):
            raise UsageError(f"The target_type is 'labels' or 'findings', but got {target_type!r}.")
        if channels not in (1, 3):
            raise UsageError(f"An image has 1 channel or 3 equal ones, but got {channels!r}.")
        space = rows.label_space
        self.label_space: LabelSpace = space
        self.classes: tuple[str, ...] = space.labels if target_type == "labels" else space.findings
        self.transform = transform
        self._rows, self._images, self._channels, self._source = rows, images, channels, source
        self._targets = rows.targets[:, [space.index(name) for name in self.classes]]
        self._targets.setflags(write=False)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: SupportsIndex) -> Sample:
        position = range(len(self))[operator.index(index)]  # an IndexError past the end is what ends a for loop
        image = torch.from_numpy(self._images.read(position))[None].repeat(self._channels, 1, 1)
        changed = image.float() / 255 if self.transform is None else self.transform(image)
        target = torch.from_numpy(self._targets[position].copy())
        return changed, target, str(self._rows.image_ids[position])

    def __repr__(self) -> str:
        kind = "simulated images (not radiographs)" if self._rows.simulated else "images"
        copies = int(self.is_augmented.sum())
        return (
            f"{type(self).__name__}: {len(self):,} {kind} of {self.size} px"
            + (f", {copies:,} of them augmented copies" if copies else "")
            + f", {len(self.classes)} labels of {self.label_space.name}, from {self._source}"
        )

    @property
    def size(self) -> int:
        """Side of the images in pixels, before `transform`."""
        return self._images.size

    @property
    def targets(self) -> npt.NDArray[np.float32]:
        """Targets of all samples, (N, K), read only; NaN where a label is unknown."""
        return self._targets

    @property
    def image_ids(self) -> TextArray:
        """Image ids of all samples, (N,)."""
        return self._rows.image_ids

    @property
    def patient_ids(self) -> TextArray:
        """Patients of all samples, (N,); DataError if the table that they come from does not say.

        Split by these, never by image: images of one patient are so alike that a network recognises the patient.
        """
        if (self._rows.patient_ids == "").any():
            raise DataError(f"The table of {self._source} does not say which patient an image is of.")
        return self._rows.patient_ids

    @property
    def splits(self) -> TextArray:
        """Split of all samples, (N,): "train", "val", "test", or "" where the table has none."""
        return self._rows.splits

    @property
    def origins(self) -> TextArray:
        """Image that each sample is an augmented copy of, (N,); "" for originals."""
        return self._rows.origins

    @property
    def is_augmented(self) -> npt.NDArray[np.bool_]:
        """Whether each sample is an augmented copy, (N,)."""
        return np.asarray(self._rows.origins != "", dtype=np.bool_)

    def pos_weight(self) -> Tensor:
        """Negatives over positives of each class, (K,) float32, as `torch.nn.BCEWithLogitsLoss` takes them.

        Unknown labels count as neither; a class without positives or without negatives has weight 1.
        """
        return torch.from_numpy(pos_weight(self._targets == 1, ~np.isnan(self._targets)))
