"""Prepare: from folders and archives to a dataset folder, whole or not at all, and going on after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chestxpert.cohort.rejects import Reject, count_reasons
from chestxpert.cohort.source import NIH, SPLIT_WAYS, Split
from chestxpert.cohort.splits import DEFAULT_VAL_FRACTION
from chestxpert.errors import ChestXpertError, DataError, UsageError
from chestxpert.folders import check_free, kept_aside, publish
from chestxpert.labels import label_space
from chestxpert.pixels.job import DATA, Build, Job, has_pictures
from chestxpert.pixels.pool import Progress
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.sources import find_containers, survey_files
from chestxpert.prepare.contents import make_contents
from chestxpert.prepare.report import PrepareReport
from chestxpert.prepare.tables import Tables, check_simulated, read_tables


def prepare(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    format: str = NIH,
    labels: str = "nih15",
    size: int = 224,
    fit: str = "pad",
    split: str = "auto",
    val_fraction: float = DEFAULT_VAL_FRACTION,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PrepareReport:
    """Make a dataset folder from folders and archives in NIH's layout.

    Archives are read as they are: nothing is unpacked to disk. Everything is written beside `out`, and renamed when
    whole, so `out` is never half made. Interrupted or killed at any moment and called again with the same arguments, it
    goes on where it stopped, and ends with the same bytes as an unbroken call.

    Parameters
    ----------
    source : str, Path, or sequence of them
        Folders, ``.tar``, ``.tar.gz``, ``.tgz`` and ``.zip`` archives. A folder is searched at any depth for images and
        archives. The label table (and lists and boxes, if any) lies in one of the folders themselves; where only
        archives are named, beside them.
    out : str or Path
        Dataset folder to make; must not exist, or be empty.
    format : {"nih"}
        Whose layout the tables have.
    labels : {"nih15", "cxrlt20"}
        Label space.
    size : int
        Side of the stored images in pixels.
    fit : str
        How an image that is not square becomes so: see `chestxpert.pixels.preprocess.Preprocess`.
    split : {"auto", "official", "random"}
        See `chestxpert.cohort.source.split_source`.
    val_fraction : float
        Share of the patients outside the test set that become validation, between 0 and 1.
    seed : int
        Decides the split. Same images, tables and arguments, same bytes, whether they come as files or in archives.
    workers : int, optional
        Processes that decode; all cores if None.
    progress : callable, optional
        Called as progress(done, total) while images are decoded; the total is an estimate where archives are read.

    Returns
    -------
    PrepareReport

    Raises
    ------
    UsageError
        If an argument is out of range.
    DataError
        If `out` is in the way, the source has no usable table, or nothing is left.
    CohortError
        If the split asked for cannot be had.
    StoreError
        If the images cannot be written.
    """
    sources = [Path(source)] if isinstance(source, str | Path) else [Path(one) for one in source]
    out = Path(out)
    _check_arguments(sources, split, val_fraction, seed, workers)
    preprocess, space = Preprocess(size=size, fit=fit), label_space(labels)
    _check_out(out)
    tables = read_tables(sources, format, space, split)
    job = _job(sources, tables, preprocess, format)
    how = {"labels": labels, "size": size, "split": split, "val_fraction": val_fraction, "seed": seed, "fit": fit}
    # Where all images are files, whatever is wrong with the split shows before any of them is decoded.
    early = None if job.streamed else _split(tables, job.survey.candidates, list(job.strangers().values()), how)
    with _workplace(out) as aside:
        build = Build(job, aside)
        build.decode(None if early is None else set(early.frame["image_id"]), workers, progress)
        check_simulated(tables, [job.containers[number].path for number in sorted(build.ledger.simulated)])
        chosen = early or _split(tables, build.found(), build.rejects(), how)
        report = make_contents(build, tables, chosen, sources, out, how)
        _after_store(build.folder)
        publish(build.folder, out)
    return report


def _check_arguments(
    sources: Sequence[Path], split: str, val_fraction: float, seed: int, workers: int | None
) -> None:  # fmt: skip
    if not sources:
        raise UsageError("Name at least one folder or archive to prepare.")
    if split not in SPLIT_WAYS:
        raise UsageError(f"The split must be one of {', '.join(SPLIT_WAYS)}, got '{split}'.")
    if not 0 < val_fraction < 1:
        raise UsageError(f"The share of validation must lie between 0 and 1, got {val_fraction}.")
    if seed < 0:
        raise UsageError(f"The seed must be 0 or more, got {seed}.")
    if workers is not None and workers < 1:
        raise UsageError(f"At least one worker is needed, got {workers}.")


def _check_out(out: Path) -> None:
    """DataError if `out` is in the way. What a run that was killed at its very end left beside it is cleared up."""
    try:
        check_free(out)
    except DataError:
        with suppress(DataError), kept_aside(out) as aside:
            if not (aside / DATA).exists():
                shutil.rmtree(aside)
        raise


def _job(sources: Sequence[Path], tables: Tables, preprocess: Preprocess, format: str) -> Job:
    """Everything there is to decode; DataError if simulated images came with tables that do not say so."""
    containers = find_containers(sources)
    ids = tables.source.frame["image_id"]
    check_simulated(tables, [container.path for container in containers if container.simulated])
    about = [format, tables.source.label_space.name, *(reject.image_id for reject in tables.source.rejects)]
    rows = {image_id: row for row, image_id in enumerate(ids)}
    return Job(containers, tables.names, rows, survey_files(containers, tables.names), preprocess, "\x1f".join(about))


def _split(tables: Tables, found: Collection[str], rejects: Sequence[Reject], how: Mapping[str, Any]) -> Split:
    """Split the rows whose image is there.

    Raises
    ------
    DataError
        If no row has an image.
    CohortError
        If the split asked for cannot be had.
    """
    frame = tables.source.frame
    there = frame["image_id"].isin(found)
    if not there.any():
        counts = count_reasons([*tables.source.rejects, *rejects])
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
        raise DataError(
            f"Nothing is left: the tables in {tables.folder} have {len(frame):,} usable rows, but none of the images "
            f"found belongs to one ({reasons or 'no images'}). Do the sources hold the images that the table names?"
        )
    kept = frame[there].reset_index(drop=True)
    return tables.split(tables.source, kept, how["split"], how["val_fraction"], how["seed"])


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Folder to build in. It goes when all is done, or nothing was decoded; else it stays, and errors say so."""
    with kept_aside(out) as aside:
        try:
            yield aside
        except ChestXpertError as error:
            if has_pictures(aside):
                raise type(error)(f"{error} What is decoded is kept: the same command goes on with it.") from error
            raise
        finally:
            if not has_pictures(aside):
                shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _after_store(folder: Path) -> None:
    """What is to be done with the finished folder before it takes its name: the place for checks of the images."""
