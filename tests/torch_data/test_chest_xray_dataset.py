"""ChestXrayDataset over a dataset folder: the store's pixels, the cohort's labels, and PyTorch's own tools."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, WeightedRandomSampler
from torchvision.transforms import v2

from chestxpert import ChestXrayDataset
from chestxpert.dataset import Dataset
from chestxpert.errors import CohortError, DataError, StoreError, UsageError
from chestxpert.imbalance import masked_bce, pos_weight


@pytest.mark.parametrize("split", ["train", "val", "test", None])
def test_samples_are_the_stores_pixels_and_the_cohorts_labels(room: SimpleNamespace, split: str | None) -> None:
    data, samples = Dataset.load(room.data), ChestXrayDataset(room.data, split)
    rows = np.arange(120) if split is None else data.cohort.rows(split)
    assert len(samples) == len(rows) > 10
    assert samples.image_ids.tolist() == data.cohort.image_ids[rows].tolist()
    assert samples.patient_ids.tolist() == data.cohort.patients[rows].tolist()
    assert set(samples.splits) == ({"train", "val", "test"} if split is None else {split})
    assert samples.targets.dtype == np.float32
    assert np.array_equal(samples.targets, data.cohort.labels(rows))
    for place, row in enumerate(rows):
        image, target, image_id = samples[place]
        assert image_id == data.cohort.image_ids[row]
        assert type(image_id) is str
        assert image.dtype == target.dtype == torch.float32
        pixels = data.store.pixels[data.store.row(image_id)]
        assert image.shape == (1, 32, 32)
        np.testing.assert_array_equal(image[0].numpy() * 255, pixels)
        assert target.tolist() == data.cohort.labels([row])[0].tolist()


def test_classes_are_in_the_order_of_the_label_space(room: SimpleNamespace) -> None:
    space = Dataset.load(room.data).cohort.label_space
    samples = ChestXrayDataset(room.data)
    assert samples.classes == space.labels
    assert samples.label_space == space
    findings = ChestXrayDataset(room.data, target_type="findings")
    assert findings.classes == space.findings
    assert np.array_equal(findings.targets, samples.targets[:, [space.index(name) for name in space.findings]])
    assert findings[3][1].shape == (14,)


def test_a_transform_gets_whole_numbers_and_three_channels_if_asked(room: SimpleNamespace) -> None:
    seen: list[torch.Tensor] = []

    def keep(image: torch.Tensor) -> torch.Tensor:
        seen.append(image)
        return image

    image, _, image_id = ChestXrayDataset(room.data, transform=keep, channels=3)[5]
    assert image is seen[0]
    assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 32))
    data = Dataset.load(room.data)
    for channel in image:
        assert np.array_equal(channel, data.store.pixels[data.store.row(image_id)])
    image.zero_()  # each channel and each reading has memory of its own, so changing one in place is safe
    assert ChestXrayDataset(room.data, transform=keep, channels=3)[5][0].any()


def test_torchvisions_transforms_fit(room: SimpleNamespace) -> None:
    steps = [v2.RandomRotation(10), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.485] * 3, [0.229] * 3)]
    image, _, _ = ChestXrayDataset(room.data, transform=v2.Compose(steps), channels=3)[0]
    assert (image.dtype, image.shape) == (torch.float32, (3, 32, 32))
    plain, _, _ = ChestXrayDataset(room.data, transform=v2.Compose(steps[1:]), channels=3)[0]
    expected = (ChestXrayDataset(room.data, channels=3)[0][0] - 0.485) / 0.229
    torch.testing.assert_close(plain, expected)


def test_a_smaller_size_is_the_stores_own(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data, "val", size=16)
    data = Dataset.load(room.data)
    small = data.store.at_size(16)
    image, _, image_id = samples[0]
    assert samples.size == 16
    np.testing.assert_array_equal(image[0].numpy() * 255, small.pixels[small.row(image_id)])
    with pytest.raises(StoreError, match="32 px, but 64"):
        ChestXrayDataset(room.data, size=64)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 on, where there are threads
def test_forked_workers_give_the_same_batches(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data, "train")
    samples[0]  # the memory map is open already
    loader = DataLoader(samples, batch_size=20, num_workers=2, multiprocessing_context="fork")
    alone = DataLoader(samples, batch_size=20)
    batches = 0
    for (images, targets, ids), (expected, wanted, names) in zip(loader, alone, strict=True):
        assert torch.equal(images, expected)
        assert torch.equal(targets, wanted)
        assert list(ids) == list(names)
        batches += 1
    assert batches == -(-len(samples) // 20) > 2


def test_what_is_pickled_is_where_the_pixels_lie(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data, None)
    samples[0]
    data = pickle.dumps(samples)
    assert len(data) < 40_000 < Dataset.load(room.data).store.pixels.nbytes
    again = pickle.loads(data)
    assert all(torch.equal(a[0], b[0]) and a[2] == b[2] for a, b in zip(samples, again, strict=True))


def test_samplers_subsets_and_loops_work(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data, "train")
    hernia = samples.classes.index("Hernia")
    carriers = np.flatnonzero(samples.targets[:, hernia] == 1)
    sampler = WeightedRandomSampler(samples.targets[:, hernia].tolist(), 30, generator=torch.Generator().manual_seed(0))
    drawn = next(iter(DataLoader(samples, batch_size=30, sampler=sampler)))
    assert (drawn[1][:, hernia] == 1).all()
    few = Subset(samples, carriers.tolist())
    assert [few[i][2] for i in range(len(few))] == samples.image_ids[carriers].tolist()
    assert [image_id for _, _, image_id in samples] == samples.image_ids.tolist()
    assert samples[-1][2] == samples[np.int64(len(samples) - 1)][2] == samples[torch.tensor(len(samples) - 1)][2]
    with pytest.raises(IndexError):
        samples[len(samples)]
    with pytest.raises(TypeError):
        samples[1.5]  # type: ignore[index]


def test_samples_cannot_be_spoilt_from_outside(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data)
    image, target, _ = samples[0]
    before = image.clone(), target.clone()
    image.zero_()
    target.fill_(7)
    assert torch.equal(samples[0][0], before[0])
    assert torch.equal(samples[0][1], before[1])
    with pytest.raises(ValueError, match="read-only"):
        samples.targets[0] = 1


def test_pos_weight_is_what_bce_takes(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset(room.data)
    expected = pos_weight(Dataset.load(room.data).cohort.labels(Dataset.load(room.data).cohort.rows("train")))
    assert torch.equal(samples.pos_weight(), torch.from_numpy(expected))
    _, targets, _ = next(iter(DataLoader(samples, batch_size=8)))
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=samples.pos_weight())(torch.zeros(8, 15), targets)
    ours = masked_bce(torch.zeros(8, 15), targets, ~targets.isnan(), samples.pos_weight())
    torch.testing.assert_close(loss, ours)


def test_what_it_is_is_told(room: SimpleNamespace) -> None:
    train = ChestXrayDataset(room.data)
    assert repr(train) == (
        f"ChestXrayDataset: {len(train)} images of 32 px, 15 labels of nih15, from {room.data} (train)"
    )
    assert not train.is_augmented.any()
    more = ChestXrayDataset(room.with_copies)
    assert f"{more.is_augmented.sum()} of them augmented copies" in repr(more)
    assert more.is_augmented.sum() == len(more) - len(train) > 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"split": "training"}, UsageError, "train, val, test"),
        ({"target_type": "classes"}, UsageError, "'labels' or 'findings'"),
        ({"channels": 2}, UsageError, "1 channel or 3"),
    ],
)
def test_wrong_arguments_are_refused(
    room: SimpleNamespace, arguments: dict[str, object], error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        ChestXrayDataset(room.data, **arguments)  # type: ignore[arg-type]


def test_a_folder_that_is_none_and_one_that_vanishes(room: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set"):
        ChestXrayDataset(tmp_path)
    copy = Path(shutil.copytree(room.data, tmp_path / "data"))
    samples = ChestXrayDataset(copy)
    (copy / "pixels.u8").unlink()
    with pytest.raises(StoreError, match=r"pixels\.u8"):
        samples[0]
    (copy / "cohort.parquet").unlink()
    with pytest.raises(CohortError):
        ChestXrayDataset(copy)
