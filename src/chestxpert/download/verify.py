"""Whether a file that is here is the one it should be: by its MD5, and label files also by what they hold."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from chestxpert.download.catalogue import RemoteFile
from chestxpert.errors import DownloadError

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK = 1 << 20


@dataclass(frozen=True)
class Verdict:
    """What became of a check.

    Parameters
    ----------
    problem : str
        What is wrong, as a clause without its end; "" if the file is right.
    by_contents : bool
        Whether the MD5 is none of those known, and the file was accepted for what it holds.
    """

    problem: str = ""
    by_contents: bool = False


def new_md5() -> _Hash:
    """An MD5 to be fed, also where MD5 is barred from guarding secrets."""
    return hashlib.md5(usedforsecurity=False)


def feed(md5: _Hash, path: Path, done: Callable[[int], None]) -> None:
    """Feed a whole file to `md5`, unzipped if it is a gzipped label file; tells bytes as they are read."""
    with _opened(path) as stream:
        while block := stream.read(BLOCK):
            md5.update(block)
            done(len(block))


def verify(file: RemoteFile, path: Path, done: Callable[[int], None]) -> Verdict:
    """Check the file that lies at `path`; DownloadError if it cannot be read at all."""
    md5 = new_md5()
    try:
        feed(md5, path, done)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return Verdict(f"it cannot be unzipped ({error})")
    except OSError as error:
        raise DownloadError(f"{path} cannot be read ({error}). Make it readable, or move it away.") from error
    return judge(file, md5.hexdigest(), path)


def judge(file: RemoteFile, md5: str, path: Path) -> Verdict:
    """Decide over the bytes at `path`, whose MD5 is known already."""
    if md5 in file.md5s:
        return Verdict()
    problem = f"its MD5 is {md5}, expected {' or '.join(file.md5s)}"
    if file.contents_problem is None:
        return Verdict(problem)
    try:
        with _opened(path) as stream:
            wrong = file.contents_problem(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        wrong = "it is no text"
    return Verdict(f"{problem}, and {wrong}") if wrong else Verdict(by_contents=True)


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(path) if path.name.endswith((".csv.gz", ".txt.gz")) else path.open("rb")
