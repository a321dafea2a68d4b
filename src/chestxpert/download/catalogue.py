"""The files of ChestX-ray14: names, where they are, MD5 sums, sizes.

Archives: links from NIH's own ``batch_download_zips.py``, MD5 sums from NIH's FAQ (question 7), both on
https://nihcc.app.box.com/v/ChestXray-NIHCC. NIH publishes no sums for the label files. Theirs were computed from
copies whose sizes, SHA-1 and SHA-256 are those that others report of NIH's files. The label table has two: NIH has
renamed a column ('Patient Gender' to 'Patient Sex') since most mirrors took their copy; the rows are the same.

Sizes serve the disk check and the progress; what a file is worth is decided by its MD5 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from chestxpert.download.contents import boxes_problem, entries_problem, list_problem
from chestxpert.errors import UsageError

NIH_PAGE = "https://nihcc.app.box.com/v/ChestXray-NIHCC"

_STATIC = "https://nihcc.box.com/shared/static/"
_BY_ID = "https://nihcc.app.box.com/index.php?rm=box_download_shared_file&vanity_name=ChestXray-NIHCC&file_id=f_"
_MIRROR = "https://huggingface.co/datasets/alkzar90/NIH-Chest-X-ray-dataset/resolve/main/data/"


@dataclass(frozen=True)
class RemoteFile:
    """One file that can be fetched.

    Parameters
    ----------
    name : str
        Its name in the folder it is fetched to.
    urls : tuple of str
        Where it may be had, in the order to try.
    md5s : tuple of str
        MD5 sums, as hexadecimal digits, of the versions that are known to be right.
    size : int
        Size in bytes that is reckoned with before the server has said one.
    contents_problem : callable, optional
        What is wrong with the text of a file whose MD5 is not known, as a clause; None if it holds what it must. A file
        without this is accepted by its MD5 alone.
    also : tuple of str
        Other names under which the file may lie in the folder already.
    """

    name: str
    urls: tuple[str, ...]
    md5s: tuple[str, ...]
    size: int
    contents_problem: Callable[[str], str | None] | None = None
    also: tuple[str, ...] = ()

    @property
    def is_archive(self) -> bool:
        """Whether the file is gzipped as it is fetched."""
        return self.name.endswith(".gz")

    def find(self, folder: Path) -> Path | None:
        """The file in `folder`, under any of its names; None if it is not there."""
        return next((folder / name for name in (self.name, *self.also) if (folder / name).is_file()), None)

    def at(self, mirror: str) -> RemoteFile:
        """The same file, looked for by its name below the URL `mirror` and nowhere else."""
        return replace(self, urls=(f"{mirror.rstrip('/')}/{self.name}",))


def _archive(number: int, key: str, md5: str, size: int) -> RemoteFile:
    # NIH's own download script saves images_01.tar.gz.
    also = (f"images_{number:02d}.tar.gz",)
    return RemoteFile(f"images_{number:03d}.tar.gz", (f"{_STATIC}{key}.gz",), (md5,), size, also=also)


def _label_file(
    name: str, box_id: int, size: int, contents_problem: Callable[[str], str | None], *md5s: str
) -> RemoteFile:
    return RemoteFile(name, (f"{_BY_ID}{box_id}", _MIRROR + name), md5s, size, contents_problem, also=(f"{name}.gz",))


ARCHIVES = (
    _archive(1, "vfk49d74nhbxq3nqjg0900w5nvkorp5c", "fe8ed0a6961412fddcbb3603c11b3698", 2_008_470_987),
    _archive(2, "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1", "ab07a2d7cbe6f65ddd97b4ed7bde10bf", 3_952_623_504),
    _archive(3, "f1t00wrtdk94satdfb9olcolqx20z2jp", "2301d03bde4c246388bad3876965d574", 3_929_234_850),
    _archive(4, "0aowwzs5lhjrceb3qp67ahp0rd1l1etg", "9f1b7f5aae01b13f4bc8e2c44a4b8ef6", 3_838_903_983),
    _archive(5, "v5e3goj22zr6h8tzualxfsqlqaygfbsn", "1861f3cd0ef7734df8104f2b0309023b", 3_935_496_531),
    _archive(6, "asi7ikud9jwnkrnkj99jnpfkjdes7l6l", "456b53a8b351afd92a35bc41444c58c8", 3_986_301_172),
    _archive(7, "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n", "1075121ea20a137b87f290d6a4a5965e", 4_016_328_426),
    _archive(8, "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j", "b61f34cec3aa69f295fbb593cbd9d443", 4_018_347_353),
    _archive(9, "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj", "442a3caa61ae9b64e61c561294d1e183", 4_111_327_929),
    _archive(10, "l6nilvfa9cg3s28tqv1qc1olm3gnz54p", "09ec81c4c31e32858ad8cf965c494b74", 4_181_556_296),
    _archive(11, "hhq8fkdgvcari67vfhs7ppg2w6ni4jze", "499aefc67207a5a97692424cf5dbeed5", 4_187_084_020),
    _archive(12, "ioqwiy20ihqwyr8pf4c24eazhh281pbu", "dc9fda1757c2de0032b63347a7d2895c", 2_914_187_733),
)
"""The twelve archives of images; ``ARCHIVES[n - 1]`` is ``images_NNN.tar.gz``."""

LABELS = (
    _label_file(
        "Data_Entry_2017_v2020.csv", 219760887468, 9_003_496, entries_problem,
        "63a8ca1a1b1f7a0e77d3db6522191103", "27d223bb367648f1fd40e28dd42a0af3",
    ),
    _label_file(
        "train_val_list.txt", 256056636701, 1_470_907, partial(list_problem, images=86_524, patients=28_008),
        "067e3a84206964892e6300e4a4c0a205",
    ),
    _label_file(
        "test_list.txt", 256055473534, 435_131, partial(list_problem, images=25_596, patients=2_797),
        "adeeabf20ea2a8eb66ced87b78434400",
    ),
    _label_file(
        "BBox_List_2017.csv", 219760940956, 92_416, boxes_problem,
        "c288912caf65ab8b6c7aff6717d11005",
    ),
)  # fmt: skip
"""Label table, official lists, boxes."""


def choose(
    only: str | None = None, archives: Iterable[int] | None = None, mirror: str | None = None
) -> list[RemoteFile]:
    """The files that are asked for, label files first: they are small, and nothing can be done without them.

    Parameters
    ----------
    only : {"labels", "images"}, optional
        Leave the others out.
    archives : iterable of int, optional
        Numbers of archives, from 1 to 12; all if not given. A number given twice counts once.
    mirror : str, optional
        URL below which all files are looked for by their names, instead of where NIH keeps them.

    Raises
    ------
    UsageError
        If the wishes contradict each other, or an archive or the mirror cannot be.
    """
    if only not in (None, "labels", "images"):
        raise UsageError(f"There is no part '{only}' of ChestX-ray14. There is: labels, images.")
    if only == "labels" and archives is not None:
        raise UsageError("Only label files are asked for, and archives too. Leave one of both out.")
    numbers = sorted(set(range(1, len(ARCHIVES) + 1) if archives is None else archives))
    if wrong := [number for number in numbers if not 1 <= number <= len(ARCHIVES)]:
        raise UsageError(f"Archives are numbered 1 to {len(ARCHIVES)}, but got {wrong[0]}.")
    if mirror is not None and not _is_web_address(mirror):
        raise UsageError(f"A mirror is a URL such as https://example.org/nih, but got '{mirror}'.")
    labels = [] if only == "images" else list(LABELS)
    images = [] if only == "labels" else [ARCHIVES[number - 1] for number in numbers]
    return [file if mirror is None else file.at(mirror) for file in (*labels, *images)]


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def archive_numbers(text: str) -> list[int]:
    """Numbers in a text such as ``1,2`` or ``1,3-5``, in the order given.

    Raises
    ------
    UsageError
        If the text is none, or a number is no archive's.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise UsageError(f"takes numbers such as 1,2 or 3-5, but got '{text}'")
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= len(ARCHIVES):
            raise UsageError(
                f"archives are numbered 1 to {len(ARCHIVES)}, lower number first, but got '{part.strip()}'"
            )
        numbers.extend(range(low, high + 1))
    return numbers
