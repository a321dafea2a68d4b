"""Images end in the store in order, whatever happens to some of them and however many processes work."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.errors import DataError
from chestxpert.pixels import job
from chestxpert.pixels.build import build_store, find_images
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore


def _images(folder: Path, count: int, size: int = 20) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {f"{i:03d}.png": folder / f"{i:03d}.png" for i in range(count)}
    for i, path in enumerate(paths.values()):
        Image.fromarray(np.full((size, size), i % 256, np.uint8)).save(path)
    return paths


def test_every_image_has_its_row(tmp_path: Path) -> None:
    images = _images(tmp_path / "in", 40)
    out = tmp_path / "out"
    out.mkdir()
    steps: list[tuple[int, int]] = []
    assert build_store(images, out, Preprocess(16), "nih: in", 1, lambda done, total: steps.append((done, total))) == []
    store = ImageStore.open(out)
    assert store.pixels.shape == (40, 16, 16)
    assert [int(row[3, 3]) for row in store.pixels] == list(range(40))
    assert store.index[["width", "height"]].drop_duplicates().to_numpy().tolist() == [[20, 20]]
    assert steps[-1] == (40, 40)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


@pytest.mark.parametrize("broken", [[0], [39], [0, 1, 17, 18, 38], list(range(39))])
def test_gaps_of_undecodable_images_are_closed(tmp_path: Path, broken: list[int]) -> None:
    images = _images(tmp_path / "in", 40)
    names = list(images)
    for i in broken:
        images[names[i]].write_text("no image")
    out = tmp_path / "out"
    out.mkdir()
    rejects = build_store(images, out, Preprocess(16), "nih: in", 1)
    assert [(reject.image_id, reject.reason) for reject in rejects] == [(names[i], "undecodable") for i in broken]
    store = ImageStore.open(out)
    store.verify()
    left = [i for i in range(40) if i not in broken]
    assert store.image_ids.tolist() == [names[i] for i in left]
    assert [int(row[3, 3]) for row in store.pixels] == left


def test_nothing_decodable_is_an_error_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match=r"None of the 1 images .*a\.png cannot be decoded"):
        build_store({"a.png": tmp_path / "a.png"}, tmp_path, Preprocess(16), "nih", 1)
    with pytest.raises(DataError, match="no image to decode"):
        build_store({}, tmp_path, Preprocess(16), "nih", 1)


def test_several_processes_write_the_same_bytes_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = _images(tmp_path / "in", 70)
    images["013.png"].write_text("no image")
    sums = set()
    for workers, pool_from in ((1, 200), (1, 1), (2, 1)):
        monkeypatch.setattr(job, "_POOL_FROM", pool_from)
        out = tmp_path / f"{workers}-{pool_from}"
        out.mkdir()
        assert [r.image_id for r in build_store(images, out, Preprocess(16), "nih", workers)] == ["013.png"]
        sums.add((ImageStore.open(out).fingerprint, (out / "store.json").read_text()))
        assert sorted(path.name for path in out.iterdir()) == ["index.parquet", "pixels.u8", "store.json"]
    assert len(sums) == 1


def test_the_index_says_how_each_image_was_stored(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pixels = np.zeros((30, 20), np.uint8)
    for name, mode in (("a.png", "L"), ("b.png", "RGBA"), ("c.jpg", "RGB")):
        Image.fromarray(pixels).convert(mode).save(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    build_store({path.name: path for path in sorted((tmp_path / "in").iterdir())}, tmp_path / "out", Preprocess(16), "")
    assert ImageStore.open(tmp_path / "out").index.to_dict("records") == [
        {"image_id": name, "width": 20, "height": 30, "bits": 8, "mode": mode, "format": kind}
        for name, mode, kind in (
            ("a.png", "grey", "png"),
            ("b.png", "colour-alpha", "png"),
            ("c.jpg", "colour", "jpeg"),
        )
    ]


def test_images_are_found_at_any_depth_and_through_links(tmp_path: Path) -> None:
    _images(tmp_path / "elsewhere", 2)
    source = tmp_path / "source"
    _images(source / "images_001" / "images", 1)
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "linked" / "round").symlink_to(source)  # a circle
    (source / "Z.JPG").touch()
    (source / "notes.txt").touch()
    images, rejects = find_images(source)
    assert list(images) == ["000.png", "001.png", "Z.JPG"]
    assert images["000.png"] == source / "images_001" / "images" / "000.png"
    assert [(r.image_id, r.reason, r.detail) for r in rejects] == [
        ("000.png", "duplicate-image", "linked/000.png; images_001/images/000.png is used")
    ]
