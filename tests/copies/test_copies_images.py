"""Copies as images: the augmentation of training batches, each from a stream that its id alone names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chestxpert.copies.images import CopyWriter, changed_copy, one_torch_thread
from chestxpert.copies.table import CopyTable
from chestxpert.pixels.augment import augment
from chestxpert.recipe import Augment
from chestxpert.streams import stream_seed

PIXELS = np.random.default_rng(4).integers(0, 256, (5, 40, 40), dtype=np.uint8)
TABLE = CopyTable(tuple(f"{i}_aug-1.png" for i in range(40)), ("Mass",) * 40, tuple(f"{i}.png" for i in range(40)))
ROWS = [i % 5 for i in range(40)]


def written(folder: Path, workers: int, simulated: bool = False) -> dict[str, bytes]:
    CopyWriter(folder, PIXELS, Augment(), 3, simulated).write_all(TABLE, ROWS, workers)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_copy_is_what_training_would_make_of_the_image() -> None:
    image = PIXELS[2]
    generator = torch.Generator().manual_seed(stream_seed(3, "copy", "x_aug-1.png"))
    expected = augment(torch.from_numpy(image.copy())[None, None], Augment(), generator)[0, 0]
    copy = changed_copy(image, Augment(), 3, "x_aug-1.png")
    assert copy.dtype == np.uint8
    assert np.abs(copy - expected.numpy()).max() <= 0.5
    assert not np.array_equal(copy, changed_copy(image, Augment(), 4, "x_aug-1.png"))
    assert not np.array_equal(copy, changed_copy(image, Augment(), 3, "x_aug-2.png"))
    still = Augment(rotate=0, shift=0, scale=0, brightness=0, contrast=0)
    assert np.array_equal(changed_copy(image, still, 3, "x_aug-1.png"), image)


def test_files_are_the_same_whatever_the_number_of_threads(tmp_path: Path) -> None:
    before = PIXELS.copy()
    alone = written(tmp_path / "1", 1)
    assert alone == written(tmp_path / "3", 3)
    assert set(alone) == set(TABLE.ids)
    assert np.array_equal(PIXELS, before)
    for name, row in zip(TABLE.ids, ROWS, strict=True):
        with Image.open(tmp_path / "1" / name) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (40, 40))
            assert np.array_equal(np.asarray(image), changed_copy(PIXELS[row], Augment(), 3, name))
            assert image.info["Comment"] == f"Augmented copy of {name.replace('_aug-1', '')}."


def test_copies_of_drawings_say_so(tmp_path: Path) -> None:
    written(tmp_path, 1, simulated=True)
    with Image.open(tmp_path / TABLE.ids[0]) as image:
        assert image.info["Comment"].startswith("SIMULATED")


def test_progress_counts_every_copy_and_an_interrupt_stops_the_rest(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    writer = CopyWriter(tmp_path / "whole", PIXELS, Augment(), 3, False)
    writer.write_all(TABLE, ROWS, 2, lambda done, total: steps.append((done, total)))
    assert steps == [(16, 40), (32, 40), (40, 40)]

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    many = CopyTable(tuple(f"{i}_aug-1.png" for i in range(2000)), ("Mass",) * 2000, ("a.png",) * 2000)
    with pytest.raises(KeyboardInterrupt):
        CopyWriter(tmp_path / "cut", PIXELS, Augment(), 3, False).write_all(many, [0] * 2000, 1, interrupt)
    assert 16 <= len(list((tmp_path / "cut").iterdir())) < 2000


def test_the_number_of_threads_comes_back_even_after_a_failure() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError), one_torch_thread():  # one thread, so 0 in the denominator
            _ = 1 / (torch.get_num_threads() - 1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
