"""Build an ImageStore from image files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from chestxpert.cohort.rejects import Reject
from chestxpert.errors import DataError
from chestxpert.pixels.job import Build, Job
from chestxpert.pixels.manifest import INDEX, MANIFEST, PIXELS
from chestxpert.pixels.pool import Progress
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.sources import Container, FileNames, Place, Survey, find_containers


def find_images(folder: Path) -> tuple[dict[str, Path], list[Reject]]:
    """Image files at any depth below a folder, by file name; archives are left aside.

    Returns
    -------
    images : dict of str to Path
        Sorted by name. Of several files with one name, the first by path.
    rejects : list of Reject
        The others of that name.
    """
    images: dict[str, Path] = {}
    rejects: list[Reject] = []
    for file in find_containers([folder])[0].files:
        name = file.rpartition("/")[2]
        if name in images:
            used = images[name].relative_to(folder.absolute())
            rejects.append(Reject(name, "duplicate-image", f"{file}; {used} is used"))
        else:
            images[name] = folder.absolute() / file
    return dict(sorted(images.items())), rejects


def build_store(
    images: Mapping[str, Path],
    folder: Path,
    preprocess: Preprocess,
    source: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Reject]:
    """Decode image files into a store in an existing folder, in the order given.

    Parameters
    ----------
    images : mapping of str to Path
        Image id and file.
    folder : Path
        Where the store's three files are written; ``store.json`` last, so a folder without it is not whole.
    preprocess : Preprocess
        Size, and how to get there.
    source : str
        Where the images come from, for the manifest.
    workers, progress
        See `Build.decode`.

    Returns
    -------
    list of Reject
        Images that could not be decoded; the store does not have them.

    Raises
    ------
    DataError
        If no image could be decoded.
    StoreError
        If the store cannot be written.
    """
    if not images:
        raise DataError("There is no image to decode.")
    places = {name: [Place(0, str(path.absolute()), 0)] for name, path in images.items()}
    job = Job(
        [Container(folder, "folder")], FileNames(images), {name: row for row, name in enumerate(images)},
        Survey(places, []), preprocess,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as aside:
        build = Build(job, Path(aside))
        build.decode(None, workers, progress)
        refused = build.refused(images)
        keep = [name for name in images if name not in refused]
        if not keep:
            first = next(iter(refused.values()))
            raise DataError(f"None of the {len(images)} images can be decoded. The first: {first}")
        made = build.finish(keep, source)
        for name in (PIXELS, INDEX, MANIFEST):
            (made / name).replace(folder / name)
    return [Reject(name, "undecodable", why) for name, why in refused.items()]
