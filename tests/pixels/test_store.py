"""A store is whole or an error; a smaller sibling is made once."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.errors import StoreError, UsageError
from chestxpert.pixels import manifest
from chestxpert.pixels.build import build_store
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.shrink import shrink
from chestxpert.pixels.store import ImageStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of five noise images of 32 px."""
    rng = np.random.default_rng(8)
    images = {f"{name}.png": tmp_path / f"{name}.png" for name in "cabed"}
    for path in images.values():
        Image.fromarray(rng.integers(0, 256, (48, 48), dtype=np.uint8)).save(path)
    out = tmp_path / "store"
    out.mkdir()
    assert build_store(images, out, Preprocess(32), "nih: here", 1) == []
    return out


def test_rows_follow_the_index(folder: Path) -> None:
    store = ImageStore.open(folder)
    assert (len(store), store.size, store.preprocess) == (5, 32, Preprocess(32))
    assert store.image_ids.tolist() == ["c.png", "a.png", "b.png", "e.png", "d.png"]
    assert store.row("b.png") == 2
    assert store.rows(["d.png", "c.png", "d.png"]).tolist() == [4, 0, 4]
    assert store.rows([]).tolist() == []
    with pytest.raises(StoreError, match=r"lacks 1 of the 2 images asked for, for example z\.png"):
        store.rows(["a.png", "z.png"])
    with pytest.raises(ValueError, match="read-only"):
        store.pixels[0] = 0
    store.verify()


def test_manifest(folder: Path) -> None:
    about = json.loads((folder / "store.json").read_text())
    assert {key: about[key] for key in ("schema", "size", "count", "source")} == {
        "schema": 1, "size": 32, "count": 5, "source": "nih: here",
    }  # fmt: skip
    assert Preprocess.from_dict(about["preprocess"]) == Preprocess(32)
    assert about["sha256"] == manifest.checksum(folder / "pixels.u8")


def test_a_changed_byte_is_found_by_verify_and_not_before(folder: Path) -> None:
    pixels = bytearray((folder / "pixels.u8").read_bytes())
    pixels[100] ^= 1
    (folder / "pixels.u8").write_bytes(pixels)
    with pytest.raises(StoreError, match="have changed"):
        ImageStore.open(folder).verify()


def test_fingerprint_follows_pixels_and_order(folder: Path) -> None:
    before = ImageStore.open(folder).fingerprint
    assert before == ImageStore.open(folder).fingerprint
    index = ImageStore.open(folder).index
    index.iloc[::-1].to_parquet(folder / "index.parquet", index=False)
    assert ImageStore.open(folder).fingerprint != before


@pytest.mark.parametrize("name", ["pixels.u8", "index.parquet", "store.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_store_that_is_not_whole_is_an_error(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "cut" else b"")
    with pytest.raises(StoreError, match=r"store"):
        ImageStore.open(folder)


@pytest.mark.parametrize("change", [{"schema": 2}, {"count": 4}, {"size": 16}, {"count": "5"}, {"sha256": None}])
def test_a_manifest_that_disagrees_is_an_error(folder: Path, change: dict[str, object]) -> None:
    path = folder / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StoreError):
        ImageStore.open(folder)


def test_a_smaller_size_is_made_once_and_kept(folder: Path) -> None:
    store = ImageStore.open(folder)
    small = store.at_size(20)
    np.testing.assert_array_equal(small.pixels, [shrink(image, (20, 20)) for image in store.pixels])
    assert small.image_ids.tolist() == store.image_ids.tolist()
    assert small.folder == folder / "pixels-20"
    small.verify()
    written = (small.folder / "pixels.u8").stat().st_mtime_ns
    assert store.at_size(20).fingerprint == small.fingerprint
    assert (small.folder / "pixels.u8").stat().st_mtime_ns == written
    assert store.at_size(32) is store
    assert sorted(p.name for p in folder.iterdir()) == ["index.parquet", "pixels-20", "pixels.u8", "store.json"]


def test_a_smaller_size_left_from_other_pixels_is_made_again(folder: Path) -> None:
    store = ImageStore.open(folder)
    small = store.at_size(20)
    path = small.folder / "store.json"
    path.write_text(json.dumps(small.manifest | {"source": "of other pixels"}))
    again = ImageStore.open(folder).at_size(20)
    assert again.manifest["source"] == store.manifest["sha256"]


def test_a_larger_or_impossible_size_is_refused(folder: Path) -> None:
    store = ImageStore.open(folder)
    with pytest.raises(StoreError, match="--size 64"):
        store.at_size(64)
    with pytest.raises(UsageError, match="16 to 2048"):
        store.at_size(3)


def test_a_disk_too_small_is_an_error_beforehand(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="GB left"):
        manifest.create_pixels(tmp_path, 10**9, 2048)
    assert list(tmp_path.iterdir()) == []


def test_an_older_store_without_modes_still_opens(folder: Path) -> None:
    store = ImageStore.open(folder)
    assert list(store.index) == ["image_id", "width", "height", "bits", "mode", "format"]
    store.index[["image_id", "width", "height"]].to_parquet(folder / "index.parquet", index=False)
    old = ImageStore.open(folder)
    assert old.fingerprint == store.fingerprint
    assert list(old.at_size(20).index) == ["image_id", "width", "height"]
