"""Folders of maps: what is written is read, and what cannot be right is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.errors import DataError, RunError, UsageError
from chestxpert.evaluation.localization import read_maps, write_maps

IDS, FINDINGS = ["a.png", "a.png", "b.png"], ["Mass", "Nodule", "Mass"]
HEAT = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)


def write(folder: Path, maps: object = HEAT, **keywords: object) -> Path:
    given = {"image_ids": IDS, "findings": FINDINGS, "method": "noise", "made_by": "a test"} | keywords
    return write_maps(folder, maps, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_what_is_written_is_read(tmp_path: Path, dtype: str) -> None:
    values = np.rint(HEAT * 255) if dtype == "uint8" else HEAT
    folder = write(tmp_path / "ours", iter(values), dtype=dtype, covers="original", more={"network": "none"})
    maps = read_maps(folder)
    assert (maps.name, maps.covers, maps.values.dtype) == ("ours", "original", np.dtype(dtype))
    assert isinstance(maps.values, np.memmap)
    assert {key: maps.about[key] for key in ("method", "made_by", "network", "height", "width", "count")} == {
        "method": "noise", "made_by": "a test", "network": "none", "height": 5, "width": 4, "count": 3,
    }  # fmt: skip
    assert maps.rows == {("a.png", "Mass"): 0, ("a.png", "Nodule"): 1, ("b.png", "Mass"): 2}
    np.testing.assert_array_equal(maps.read(1), values[1].astype(dtype))
    assert sorted(path.name for path in folder.iterdir()) == ["index.parquet", "maps.json", "maps.npy"]


def test_one_row_may_serve_several_findings(tmp_path: Path) -> None:
    folder = write(tmp_path / "ours")
    pd.DataFrame({"image_id": ["a.png"] * 2, "finding": ["Mass", "Hernia"], "row": [2, 2]}).to_parquet(
        folder / "index.parquet"
    )
    assert set(read_maps(folder).rows.values()) == {2}


def test_an_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    np.savez(path, maps=HEAT, image_id=np.array(IDS), finding=np.array(FINDINGS))
    maps = read_maps(path)
    assert (maps.name, maps.covers, maps.rows["b.png", "Mass"]) == ("theirs", "stored", 2)
    np.savez(path, maps=HEAT, image_id=np.array(IDS[:2]), finding=np.array(FINDINGS))
    with pytest.raises(DataError, match=r"2 image ids, 3 findings"):
        read_maps(path)
    np.savez(path, maps=HEAT)
    with pytest.raises(DataError, match="arrays maps, image_id and finding"):
        read_maps(path)
    np.savez(path, maps=HEAT, image_id=np.array(IDS, dtype=object), finding=np.array(FINDINGS))
    with pytest.raises(DataError, match="arrays maps, image_id and finding"):  # a pickle, which is never opened
        read_maps(path)
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"no \.npz file"):
        read_maps(path)


@pytest.mark.parametrize(
    ("maps", "keywords", "words"),
    [
        (HEAT[:2], {}, "2 maps for 3 names"),
        ([*HEAT, HEAT[0]], {}, r"Map 3 .*3 maps of one shape"),
        ([HEAT[0], HEAT[1].T, HEAT[2]], {}, r"Map 1 has the shape \(4, 5\)"),
        (HEAT[0], {}, r"shape \(4,\)"),
        ([], {}, "0 maps for 3 names"),
        (HEAT, {"dtype": "uint8"}, "no whole numbers from 0 to 255"),
        (HEAT * 1e6, {"dtype": "float16"}, "too large for float16"),
        (HEAT, {"dtype": "int32"}, "uint8, float16, float32"),
        (HEAT, {"covers": "lungs"}, "stored or original"),
        (HEAT, {"findings": ["Mass"]}, "got 3 and 1 names"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, maps: object, keywords: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        write(tmp_path / "ours", maps, **keywords)
    assert not list((tmp_path / "ours").glob("*")), "nothing half written stays"


def test_a_folder_is_never_overwritten_and_no_map_stands_twice(tmp_path: Path) -> None:
    folder = write(tmp_path / "ours")
    with pytest.raises(RunError, match="never overwritten"):
        write(folder)
    with pytest.raises(DataError, match=r"1 maps stand twice.*Mass on a\.png"):
        write(tmp_path / "other", findings=["Mass", "Mass", "Mass"])


def _about(folder: Path, **changes: object) -> None:
    told = json.loads((folder / "maps.json").read_text())
    (folder / "maps.json").write_text(json.dumps(told | changes))


def _index(folder: Path, **columns: object) -> None:
    frame = pd.DataFrame({"image_id": IDS, "finding": FINDINGS, "row": [0, 1, 2]} | columns)
    frame[[name for name in frame if columns.get(name, "") is not None]].to_parquet(folder / "index.parquet")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "maps.json").unlink(), r"has no maps\.json"),
        (lambda f: (f / "maps.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
        (lambda f: (f / "index.parquet").write_bytes(b"no table"), "cannot be read"),
        (lambda f: (f / "maps.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "maps.json").write_text("[]"), "no object"),
        (lambda f: _about(f, schema=2), "schema 2"),
        (lambda f: _about(f, covers="half"), "covers 'half'"),
        (lambda f: np.save(f / "maps.npy", HEAT[0]), r"float32 of shape \(5, 4\)"),
        (lambda f: np.save(f / "maps.npy", HEAT.astype(np.int64)), "are int64"),
        (lambda f: np.save(f / "maps.npy", HEAT[:2]), "rows 0 to 1"),
        (lambda f: _index(f, row=[0, 1, -1]), "rows 0 to 2"),
        (lambda f: _index(f, row=[0.0, 1.0, 2.0]), "rows 0 to 2"),
        (lambda f: _index(f, row=None), "no column row"),
        (lambda f: _index(f, finding=["Mass", "Mass", "Mass"]), "stand twice"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, damage: object, words: str) -> None:
    folder = write(tmp_path / "ours")
    damage(folder)  # type: ignore[operator]
    with pytest.raises(DataError, match=words):
        read_maps(folder)


def test_no_maps_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no maps at .*write_maps"):
        read_maps(tmp_path / "nowhere")


@pytest.mark.parametrize("column", ["image_id", "finding"])
def test_an_entry_without_a_name_is_damage(tmp_path: Path, column: str) -> None:
    folder = write(tmp_path / "ours")
    index = pd.read_parquet(folder / "index.parquet")
    index.loc[1, column] = None
    index.to_parquet(folder / "index.parquet")
    with pytest.raises(DataError, match=f"1 entries without {column}"):
        read_maps(folder)
