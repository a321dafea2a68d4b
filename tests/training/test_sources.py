import numpy as np
import torch

from chestxpert.recipe import Augment
from chestxpert.training.engine import Engine
from chestxpert.training.sources import FeatureSource, PixelSource, copy_numbers

CPU = Engine.create("float32", "cpu")
STILL = Augment(rotate=0, shift=0, scale=0, brightness=0, contrast=0)


def pixel_source(settings: Augment = STILL) -> PixelSource:
    pixels = np.arange(6, dtype=np.uint8)[:, None, None].repeat(32, 1).repeat(32, 2) * 10
    return PixelSource(pixels, np.array([5, 4, 3, 2, 1, 0]), settings, CPU)


def test_each_image_comes_with_its_own_row() -> None:
    for images, rows in pixel_source().eval_batches(np.array([0, 2, 5]), 2):
        assert images.dtype == torch.float32
        assert images[:, 0, 0, 0].tolist() == [(5 - row) * 10.0 for row in rows]


def test_a_training_epoch_is_a_shuffle_that_keeps_image_and_row_together() -> None:
    rows = np.array([0, 1, 2, 3, 4, 5])
    seen = []
    for images, batch in pixel_source().train_batches(rows, 4, torch.Generator().manual_seed(1)):
        assert images[:, 0, 16, 16].tolist() == [(5 - row) * 10.0 for row in batch]
        seen += batch.tolist()
    assert sorted(seen) == rows.tolist()
    assert seen != rows.tolist()


def test_copies_of_an_image_are_augmented_differently() -> None:
    source = pixel_source(Augment(brightness=0.3, rotate=0, shift=0, scale=0, contrast=0))
    images, _ = next(source.train_batches(np.array([1, 1, 1, 1]), 4, torch.Generator().manual_seed(0)))
    assert len({round(float(image.mean()), 3) for image in images}) == 4


def test_copy_numbers_count_earlier_entries() -> None:
    assert copy_numbers(np.array([7, 3, 7, 7, 3, 1])).tolist() == [0, 0, 1, 2, 1, 0]


def feature_source() -> FeatureSource:
    """Features that say which row (whole part) and view (tenths) they are."""
    plain = np.arange(5, dtype=np.float16)[:, None]
    train = np.array([1, 3, 4])
    views = np.stack([train[:, None] + np.float16(0.25), train[:, None] + np.float16(0.5)]).astype(np.float16)
    return FeatureSource(plain, views, train, CPU)


def test_a_frozen_epoch_shows_each_row_once_and_in_time_each_view() -> None:
    source, seen = feature_source(), []
    generator = torch.Generator().manual_seed(2)
    for _ in range(40):
        epoch = []
        for features, rows in source.train_batches(np.array([1, 3, 4]), 2, generator):
            assert np.array_equal(np.floor(features[:, 0].numpy()), rows)
            epoch += rows.tolist()
            seen += features[:, 0].tolist()
        assert sorted(epoch) == [1, 3, 4]
    assert sorted(set(seen)) == [1.0, 1.25, 1.5, 3.0, 3.25, 3.5, 4.0, 4.25, 4.5]


def test_a_copy_is_another_view_than_its_original_in_the_same_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        for features, _ in feature_source().train_batches(np.array([3, 3]), 2, generator):
            assert features[0, 0] != features[1, 0]


def test_frozen_evaluation_reads_the_plain_view_of_any_row() -> None:
    features = torch.cat([inputs for inputs, _ in feature_source().eval_batches(np.array([4, 0, 2]), 2)])
    assert features[:, 0].tolist() == [4.0, 0.0, 2.0]


def test_evaluation_never_augments() -> None:
    source = pixel_source(Augment(rotate=20, brightness=0.4, hflip=True))
    images = torch.cat([inputs for inputs, _ in source.eval_batches(np.arange(6), 4)])
    assert torch.equal(images[:, 0], torch.arange(50.0, -1.0, -10.0)[:, None, None].expand(6, 32, 32))


def test_a_frozen_batch_asked_for_by_its_rows_is_a_random_view_of_each() -> None:
    seen, generator = set(), torch.Generator().manual_seed(3)
    for _ in range(20):
        features = feature_source().load_augmented(np.array([4, 1, 4]), generator)[:, 0]
        assert features.floor().tolist() == [4, 1, 4]
        seen |= set(features.tolist())
    assert seen == {1.0, 1.25, 1.5, 4.0, 4.25, 4.5}
