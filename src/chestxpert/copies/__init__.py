"""Augmented copies on disk: which training rows, their images, their table, and a dataset folder that has them."""

from chestxpert.copies.dataset import add_copies
from chestxpert.copies.report import OversampleReport
from chestxpert.copies.settings import augment_from
from chestxpert.copies.table import CopyTable, is_copies_folder, read_copies
from chestxpert.copies.write import oversample_to_disk

__all__ = [
    "CopyTable",
    "OversampleReport",
    "add_copies",
    "augment_from",
    "is_copies_folder",
    "oversample_to_disk",
    "read_copies",
]
