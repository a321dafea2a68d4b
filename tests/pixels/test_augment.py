"""Batch augmentation: what it may do to a chest, and what it never may."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from chestxpert.pixels.augment import _grid, augment
from chestxpert.recipe import Augment

NOTHING = Augment(rotate=0, shift=0, scale=0, brightness=0, contrast=0)


def only(**strengths: float) -> Augment:
    return Augment(**{"rotate": 0, "shift": 0, "scale": 0, "brightness": 0, "contrast": 0, **strengths})


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def noise(batch: int = 4, height: int = 16, width: int = 16) -> Tensor:
    return torch.randint(0, 256, (batch, 1, height, width), generator=seeded(1), dtype=torch.uint8)


def blob(batch: int, row: int, column: int, size: int = 64) -> Tensor:
    """Images of one bright 5 x 5 square around (row, column)."""
    images = torch.zeros(batch, 1, size, size)
    images[:, :, row - 2 : row + 3, column - 2 : column + 3] = 255
    return images


def centroids(images: Tensor) -> Tensor:
    """(B, 2) row and column of each image's centre of mass."""
    mass = images[:, 0] / images.sum(dim=(1, 2, 3))[:, None, None]
    rows = (mass.sum(2) * torch.arange(images.shape[2])).sum(1)
    columns = (mass.sum(1) * torch.arange(images.shape[3])).sum(1)
    return torch.stack([rows, columns], dim=1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_with_no_strength_the_pixels_come_back_bit_for_bit(dtype: torch.dtype) -> None:
    images = noise().to(dtype)
    result = augment(images, NOTHING, seeded())
    assert result.dtype == torch.float32
    assert torch.equal(result, images.float())


def test_the_same_seed_gives_the_same_batch_and_the_input_stays() -> None:
    images = noise().float()
    before = images.clone()
    first = augment(images, Augment(), seeded(3))
    assert torch.equal(first, augment(images, Augment(), seeded(3)))
    assert not torch.equal(first, augment(images, Augment(), seeded(4)))
    assert torch.equal(images, before)


def test_each_image_has_draws_of_its_own() -> None:
    images = noise(1).expand(8, 1, 16, 16)
    result = augment(images, Augment(), seeded())
    assert len({tuple(image.flatten().tolist()) for image in result}) == 8


def test_switching_one_kind_off_leaves_the_other_draws() -> None:
    moved = augment(blob(8, 32, 32), only(shift=0.2), seeded())
    also_brighter = augment(blob(8, 32, 32), only(shift=0.2, contrast=0.3), seeded())
    torch.testing.assert_close(centroids(moved), centroids(also_brighter.clamp(min=40) - 40), atol=0.3, rtol=0)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    rotate=st.floats(0, 45),
    shift=st.floats(0, 0.5),
    scale=st.floats(0, 0.5),
    brightness=st.floats(0, 0.5),
    contrast=st.floats(0, 0.5),
    hflip=st.booleans(),
)
def test_grey_values_stay_in_range(seed: int, hflip: bool, **strengths: float) -> None:
    result = augment(noise(3, 12, 10), Augment(hflip=hflip, **strengths), seeded(seed))
    assert result.shape == (3, 1, 12, 10)
    assert result.min() >= 0
    assert result.max() <= 255


@pytest.mark.parametrize("strongest", [Augment(rotate=45, scale=0.2, shift=0.05, hflip=True), Augment(hflip=True)])
def test_an_upright_chest_never_comes_out_upside_down(strongest: Augment) -> None:
    """A marker above the middle stays above a marker below it, under the strongest settings there are."""
    top = centroids(augment(blob(256, 16, 32), strongest, seeded()))
    bottom = centroids(augment(blob(256, 48, 32), strongest, seeded()))
    assert (top[:, 0] < bottom[:, 0]).all()


def test_left_stays_left_unless_flips_are_asked_for() -> None:
    left = centroids(augment(blob(256, 32, 14), Augment(), seeded()))
    assert (left[:, 1] < 32).all()
    flipped = centroids(augment(blob(256, 32, 14), Augment(hflip=True), seeded()))
    share = (flipped[:, 1] > 32).float().mean().item()
    assert 0.35 < share < 0.65


def test_rotation_stays_within_its_bound_and_uses_it() -> None:
    marker = centroids(augment(blob(512, 12, 31), only(rotate=20), seeded())) - 31.5
    angles = torch.rad2deg(torch.atan2(marker[:, 1], -marker[:, 0])) - math.degrees(math.atan2(-0.5, 19.5))
    assert angles.abs().max() <= 20 + 0.5
    assert angles.max() > 18
    assert angles.min() < -18


def test_rotation_is_rigid_on_an_oblong_image() -> None:
    """On a 32 x 64 image a marker keeps its distance from the middle, as it would not if the axes were mixed."""
    images = torch.zeros(64, 1, 32, 64)
    images[:, :, 14:18, 40:44] = 255
    places = centroids(augment(images, only(rotate=40), seeded()))
    distance = (places - torch.tensor([15.5, 31.5])).norm(dim=1)
    torch.testing.assert_close(distance, torch.full((64,), 10.0), atol=0.1, rtol=0)


def test_shift_stays_within_its_bound() -> None:
    moved = centroids(augment(blob(512, 32, 32), only(shift=0.25), seeded())) - 32
    assert moved.abs().max() <= 16 + 1e-3
    assert moved.abs().max() > 14
    assert (moved.amin(dim=0) < -10).all()
    assert (moved.amax(dim=0) > 10).all()


def test_change_of_size_stays_within_its_bound() -> None:
    offsets = 31.5 - centroids(augment(blob(512, 16, 16), only(scale=0.25), seeded()))
    ratios = offsets[:, 0] / 15.5
    assert 0.74 < ratios.min() < 0.8
    assert 1.2 < ratios.max() < 1.26


def test_what_comes_in_from_outside_is_black() -> None:
    result = augment(torch.full((64, 1, 32, 32), 255.0), only(shift=0.5), seeded())
    assert (result.flatten(1).min(dim=1).values == 0).float().mean() > 0.9


def test_brightness_and_contrast_stay_within_their_bounds() -> None:
    grey = torch.full((512, 1, 4, 4), 127.5)
    brighter = augment(grey, only(brightness=0.2), seeded()) - 127.5
    assert brighter.abs().max() <= 0.2 * 255 + 1e-3
    assert brighter.min() < -45
    assert brighter.max() > 45
    assert torch.allclose(augment(grey, only(contrast=0.5), seeded()), grey)
    stretched = augment(grey + 40, only(contrast=0.5), seeded()) - 127.5
    assert 19.9 < stretched.min() < 22
    assert 58 < stretched.max() < 60.1


def test_the_grid_is_that_of_affine_grid() -> None:
    matrices = torch.randn(5, 2, 3, generator=seeded())
    expected = F.affine_grid(matrices, [5, 1, 9, 14], align_corners=False)
    torch.testing.assert_close(_grid(matrices, 9, 14), expected)


def test_a_flip_alone_is_an_exact_mirror_image() -> None:
    images = noise(64).float()
    result = augment(images, only(hflip=True), seeded())
    same = torch.isclose(result, images, atol=1e-2).flatten(1).all(dim=1)
    mirrored = torch.isclose(result, images.flip(-1), atol=1e-2).flatten(1).all(dim=1)
    assert (same ^ mirrored).all()
    assert mirrored.any()
    assert same.any()


def test_the_work_is_done_on_the_images_device() -> None:
    """The meta device stands in for a GPU: a tensor left behind on the CPU would not mix with it."""
    result = augment(torch.empty(2, 1, 8, 8, dtype=torch.uint8, device="meta"), Augment(hflip=True), seeded())
    assert result.device.type == "meta"
    assert result.shape == (2, 1, 8, 8)
