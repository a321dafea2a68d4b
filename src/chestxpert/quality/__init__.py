"""Quality control: remarks about the images and the table of a data set, written beside its store.

Nothing is changed or left out on its account: what to do with a remark is for a person to decide.
"""

from chestxpert.quality.check import check_folder, check_images
from chestxpert.quality.label_versions import label_changes, label_remarks
from chestxpert.quality.remarks import CHECKS, read_quality, write_quality
from chestxpert.quality.summary import leaks, notes, require_no_leaks, summarise
from chestxpert.quality.thumbnail import thumbnail

__all__ = [
    "CHECKS",
    "check_folder",
    "check_images",
    "label_changes",
    "label_remarks",
    "leaks",
    "notes",
    "read_quality",
    "require_no_leaks",
    "summarise",
    "thumbnail",
    "write_quality",
]
