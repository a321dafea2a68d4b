"""A file on its way: what has come so far, under a name that nobody takes for the whole, and what it is a part of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from chestxpert.download.verify import feed, new_md5
from chestxpert.files import write_json


@dataclass(frozen=True)
class Origin:
    """What a part is a part of: enough to ask for the rest, and to notice that the whole is not the same any more.

    Parameters
    ----------
    url : str
        Where it was asked for, before any redirection.
    etag, last_modified : str
        The server's marks of this version, "" where it gave none; a weak ETag does not promise equal bytes and counts
        as none (RFC 9110, section 13.1.5).
    total : int or None
        Size of the whole in bytes, if known.
    """

    url: str
    etag: str = ""
    last_modified: str = ""
    total: int | None = None

    def differs(self, other: Origin) -> bool:
        """Whether both cannot be the same version: some mark that both have is not the same."""
        marks = ((self.etag, other.etag), (self.total, other.total))
        return any(mine and theirs and mine != theirs for mine, theirs in marks)


class Part:
    """``.NAME.part`` beside the place of a file, and ``.NAME.part.json`` with its origin.

    Parameters
    ----------
    target : Path
        Where the file will be when it is whole.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._origin_path = target.with_name(f".{target.name}.part.json")
        self._md5 = new_md5()
        self.origin: Origin | None = None
        self.size = 0

    def stored_size(self, urls: tuple[str, ...]) -> int:
        """Bytes that an earlier try has left and that can be gone on from at one of `urls`."""
        origin = self._stored_origin()
        return self.path.stat().st_size if origin is not None and origin.url in urls and self.path.exists() else 0

    def take_up(self, url: str, done: Callable[[int], None]) -> None:
        """Go on from what is there if it came from `url`, hashing it first; otherwise begin with nothing."""
        self.origin, self.size, self._md5 = None, 0, new_md5()
        if not self.stored_size((url,)):
            return
        feed(self._md5, self.path, done)
        self.origin, self.size = self._stored_origin(), self.path.stat().st_size

    def adopt(self, path: Path, origin: Origin) -> None:
        """Take a file that is too short for its name as the beginning of what it should be."""
        write_json(self._origin_path, asdict(origin))
        path.replace(self.path)

    def begin(self, origin: Origin) -> int:
        """Begin with nothing, as a part of `origin`; returns how many bytes were thrown away."""
        lost = self.discard()
        write_json(self._origin_path, asdict(origin))  # before the first byte: a part without origin is worth nothing
        self.origin = origin
        return lost

    def discard(self) -> int:
        """Throw everything away; returns how many bytes that were."""
        lost, self.size, self.origin, self._md5 = self.size, 0, None, new_md5()
        self.path.unlink(missing_ok=True)
        self._origin_path.unlink(missing_ok=True)
        return lost

    @contextmanager
    def growing(self) -> Iterator[Callable[[bytes], None]]:
        """Context that gives a function to add bytes at the end with; what it was given is in the file at once."""
        with self.path.open("ab", buffering=0) as stream:

            def add(data: bytes) -> None:
                _write_all(stream, data)
                self._md5.update(data)
                self.size += len(data)

            yield add

    @property
    def md5(self) -> str:
        """MD5 of what is there."""
        return self._md5.hexdigest()

    def become_whole(self) -> None:
        """Give the file its own name, once its bytes are on the disk."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
        self.path.replace(self.target)
        self._origin_path.unlink(missing_ok=True)

    def _stored_origin(self) -> Origin | None:
        try:
            return Origin(**json.loads(self._origin_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _write_all(stream: FileIO, data: bytes) -> None:
    """Write everything; a full disk takes the beginning, and says so when asked to take the rest."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
