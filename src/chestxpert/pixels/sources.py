"""What is where: folders and archives with images, in an order that decides between images of one name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from chestxpert.cohort.source import SIMULATION_FILE
from chestxpert.errors import DataError
from chestxpert.pixels import archives
from chestxpert.pixels.archives import kind_of
from chestxpert.pixels.bodies import Body, head, stamp

SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
_PREAMBLE = 132  # 128 bytes of anything and "DICM" (DICOM PS3.10, section 7.1)


class Place(NamedTuple):
    """Where an image was found.

    Parameters
    ----------
    container : int
        Number of its folder or archive.
    path : str
        Inside that, with '/' between its parts.
    turn : int
        How many members of the archive came before it; 0 in a folder.
    """

    container: int
    path: str
    turn: int

    def rank(self) -> tuple[int, list[str], int]:
        """Of several images of one name, that of the least rank is used."""
        return self.container, self.path.split("/"), self.turn


@dataclass(frozen=True)
class Container:
    """A folder with image files, or an archive.

    Parameters
    ----------
    path : Path
        Absolute.
    kind : {"folder", "tar", "tar.gz", "zip"}
    stamp : tuple of int
        Size and time of change of an archive (`chestxpert.pixels.bodies.stamp`).
    files : tuple of str
        Paths of the image files inside a folder, sorted by their parts.
    simulated : bool
        Whether a folder says, at any depth, that its images are simulated.
    """

    path: Path
    kind: Literal["folder", "tar", "tar.gz", "zip"]
    stamp: tuple[int, int] = (0, 0)
    files: tuple[str, ...] = ()
    simulated: bool = False


class Names(Protocol):
    """Knows which row an image file belongs to."""

    def match(self, path: str) -> tuple[str, ...]:
        """Image ids that a path (with all its folders) belongs to: none, one, or several it cannot tell apart."""
        ...


class FileNames:
    """NIH's rule: an image's id is the name of its file."""

    def __init__(self, image_ids: Iterable[str]) -> None:
        self._ids = frozenset(image_ids)

    def match(self, path: str) -> tuple[str, ...]:
        """See `Names.match`."""
        name = path.rpartition("/")[2]
        return (name,) if name in self._ids else ()


def find_containers(sources: Sequence[Path]) -> list[Container]:
    """Folders and archives that hold the images of some sources.

    Parameters
    ----------
    sources : sequence of Path
        Archives, and folders, which are searched at any depth and through links for image files and archives.

    Returns
    -------
    list of Container
        In the order of `sources`; of each folder first its files, then its archives by path. Whatever is reached twice
        counts once.

    Raises
    ------
    DataError
        If a source is missing or is neither folder nor archive.
    """
    containers: list[Container] = []
    seen: set[str] = set()
    for source in sources:
        if source.is_dir():
            containers += _in_folder(source.absolute(), seen)
        elif source.is_file() and is_archive(source.name):
            containers += _archives([source.absolute()], seen)
        elif source.exists():
            raise DataError(
                f"{source} is neither a folder nor an archive ({', '.join(archives.SUFFIXES)}). Name its folder."
            )
        else:
            raise DataError(f"There is no folder {source} and no archive. Name what holds the images.")
    return containers


def _in_folder(folder: Path, seen: set[str]) -> Iterator[Container]:
    images: list[str] = []
    packed: list[Path] = []
    simulated = False
    for path in _walk(folder, seen):
        simulated |= path.name == SIMULATION_FILE
        if is_archive(path.name) and path.is_file():
            packed.append(path)
        elif is_image(path.name, lambda path=path: path):  # type: ignore[misc]
            images.append(path.relative_to(folder).as_posix())
    images.sort(key=lambda path: path.split("/"))
    yield Container(folder, "folder", files=tuple(images), simulated=simulated)
    yield from _archives(sorted(packed), seen)


def _archives(paths: Iterable[Path], seen: set[str]) -> Iterator[Container]:
    for path in paths:
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            yield Container(path, kind_of(path), stamp(path))


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Files at any depth, through linked folders too, each real folder once."""
    for root, folders, names in os.walk(folder, followlinks=True, onerror=_fail):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(root, name) for name in names)


def _fail(error: OSError) -> None:
    """A folder that cannot be read is an error, not a folder without images."""
    raise error


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(archives.SUFFIXES)


def is_image(name: str, body: Callable[[], Body]) -> bool:
    """Whether a file is to be taken for an image: by its suffix or, if it has none, as a DICOM file by its head."""
    if name.lower().endswith(SUFFIXES):
        return True
    base, dot, suffix = name.rpartition("/")[2].rpartition(".")
    without = not dot or not base or suffix.isdigit()  # a dot inside a DICOM identifier begins no suffix
    try:
        return without and head(body(), _PREAMBLE)[128:] == b"DICM"
    except (OSError, DataError):
        return False


class Survey(NamedTuple):
    """Files of folders: which row each belongs to, and those that belong to none.

    Parameters
    ----------
    candidates : mapping of str to list of Place
        Of every image id that has any.
    strangers : list of (Place, ids)
        Files without an id, or with several that they could mean.
    """

    candidates: Mapping[str, list[Place]]
    strangers: list[tuple[Place, tuple[str, ...]]]


def survey_files(containers: Sequence[Container], names: Names) -> Survey:
    """Assign the files of all folders to image ids; archives are left aside."""
    candidates: dict[str, list[Place]] = {}
    strangers: list[tuple[Place, tuple[str, ...]]] = []
    for number, container in enumerate(containers):
        for file in container.files:
            place = Place(number, file, 0)
            ids = names.match(f"{container.path.as_posix()}/{file}")
            if len(ids) == 1:
                candidates.setdefault(ids[0], []).append(place)
            else:
                strangers.append((place, ids))
    return Survey(candidates, strangers)


def describe(place: Place, containers: Sequence[Container]) -> str:
    """A place for a person: as short as it can be told apart."""
    container = containers[place.container]
    if container.kind != "folder":
        return printable(f"{container.path.name}/{place.path}")
    several = sum(other.kind == "folder" for other in containers) > 1
    return printable(f"{container.path}/{place.path}" if several else place.path)


def printable(text: str) -> str:
    """A name from an archive or a disk as text that can be shown and written: anything may stand in one."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
