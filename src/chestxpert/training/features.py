"""Features of a fixed backbone, computed once and kept beside the data.

Every recipe and every seed of a study reads the same file, so a frozen comparison pays for the backbone once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.errors import StoreError
from chestxpert.files import replace_when_whole, sweep_parts, write_json
from chestxpert.imbalance.batches import batches_of
from chestxpert.models.classifier import Classifier
from chestxpert.recipe import Augment
from chestxpert.training.engine import Engine, stream_seed
from chestxpert.training.sources import PixelSource

IntArray = npt.NDArray[np.int64]
BATCH = 64
CODE = 1
"""Goes up when the same job would give other features, so that old ones are not read again."""


@dataclass(frozen=True)
class FeatureCache:
    """Features (float16) of a cohort.

    Attributes
    ----------
    plain : (N, D) array in cohort order
    views : V arrays (N_train, D), augmented views of the training rows
    """

    plain: npt.NDArray[np.float16]
    views: tuple[npt.NDArray[np.float16], ...]


@dataclass(frozen=True)
class FeatureJob:
    """Everything that decides the features, and so the name of their folder."""

    backbone: tuple[object, ...]
    pixels: str
    rows: str
    train_rows: str
    augment: Augment
    views: int
    dtype: str
    device: str
    code: int = CODE

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def array_fingerprint(array: npt.NDArray[np.generic]) -> str:
    """Twelve hexadecimal digits of an array's content."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12]


def weights_fingerprint(module: torch.nn.Module) -> str:
    """Twelve hexadecimal digits that change with any weight or buffer of `module`."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def passes_needed(folder: Path, job: FeatureJob, rows: int, train_rows: int) -> int:
    """Images that still have to go through the backbone for `job`."""
    missing_views = sum(not _view_path(folder / job.key, view).is_file() for view in range(1, job.views + 1))
    return missing_views * train_rows + (0 if _view_path(folder / job.key, 0).is_file() else rows)


def cached_features(
    folder: Path,
    job: FeatureJob,
    network: Classifier,
    source: PixelSource,
    rows: IntArray,
    train_rows: IntArray,
    engine: Engine,
    tick: Callable[[int], None],
) -> FeatureCache:
    """Features for `job` from `folder`, computing what is missing; a cut-off computation goes on view by view.

    Raises
    ------
    StoreError
        If the folder cannot be written to.
    """
    target = folder / job.key
    with _kept_in(target):
        target.mkdir(parents=True, exist_ok=True)
        sweep_parts(target)
        write_json(target / "features.json", asdict(job))
        for view in range(job.views + 1):
            if not _view_path(target, view).is_file():
                with replace_when_whole(_view_path(target, view)) as aside:
                    _write_view(aside, view, network, source, rows if view == 0 else train_rows, engine, tick)
    return _load(target, job.views)


def averaged_passes_needed(folder: Path, job: FeatureJob, rows: IntArray, views: int) -> int:
    """Images that still have to go through the backbone for `averaged_features`."""
    paths = [_averaged_path(folder / job.key, view, rows) for view in range(1, views + 1)]
    return len(rows) * sum(not path.is_file() for path in paths)


def averaged_features(
    folder: Path,
    job: FeatureJob,
    network: Classifier,
    source: PixelSource,
    rows: IntArray,
    views: int,
    engine: Engine,
    tick: Callable[[int], None],
) -> tuple[npt.NDArray[np.float16], ...]:
    """Features (n, D) of `rows` in each of the views that predictions are averaged over, beside those of `job`.

    They are files of their own, named by view and rows, so that the name and content of `job`'s do not depend on
    whether anybody averages.

    Raises
    ------
    StoreError
        If the folder cannot be written to.
    """
    target = folder / job.key
    paths = [_averaged_path(target, view, rows) for view in range(1, views + 1)]
    with _kept_in(target):
        target.mkdir(parents=True, exist_ok=True)
        for view, path in enumerate(paths, start=1):
            if not path.is_file():
                with replace_when_whole(path) as aside:
                    _write_features(aside, partial(source.load_view, view=view), network, rows, engine, tick)
    return tuple(np.load(path, mmap_mode="r") for path in paths)


def _averaged_path(target: Path, view: int, rows: IntArray) -> Path:
    return target / f"averaged-{view}-{array_fingerprint(rows)}.npy"


@contextlib.contextmanager
def _kept_in(target: Path) -> Iterator[None]:
    """Context in which a folder that cannot be written to is explained."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Features cannot be kept in {target} ({error}). Free some space there or make the folder writable."
        ) from error


def _load(target: Path, views: int) -> FeatureCache:
    plain, *augmented = (np.load(_view_path(target, view), mmap_mode="r") for view in range(views + 1))
    return FeatureCache(plain, tuple(augmented))


def _view_path(target: Path, view: int) -> Path:
    return target / ("plain.npy" if view == 0 else f"view-{view}.npy")


def _write_view(
    path: Path,
    view: int,
    network: Classifier,
    source: PixelSource,
    rows: IntArray,
    engine: Engine,
    tick: Callable[[int], None],
) -> None:
    """Write features (n, D) of `rows` as a .npy file, plain (view 0) or augmented by the stream that `view` names."""
    generator = torch.Generator().manual_seed(stream_seed(0, "view", view))
    load = source.load if view == 0 else partial(source.load_augmented, generator=generator)
    _write_features(path, load, network, rows, engine, tick)


def _write_features(
    path: Path,
    load: Callable[[IntArray], torch.Tensor],
    network: Classifier,
    rows: IntArray,
    engine: Engine,
    tick: Callable[[int], None],
) -> None:
    """Write features (n, D) of `rows`, whose images `load` gives, as a .npy file."""
    network.eval()
    shape = (len(rows), network.backbone.num_features)
    # A path that ends in .part stays as it is; np.save would append .npy.
    features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    done = 0
    for batch in batches_of(rows, BATCH):
        with torch.inference_mode(), engine.autocast():
            values = network.forward_features(network.normalise(load(batch)))
        features[done : done + len(batch)] = values.float().cpu().numpy()
        done += len(batch)
        tick(len(batch))
    features.flush()
