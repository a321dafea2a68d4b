"""`prepare` writes the remarks and tells the gravest."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from chestxpert.dataset import prepare
from chestxpert.quality import read_quality


def test_a_prepared_folder_has_its_remarks_and_they_are_told(tiny_nih: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_nih, tmp_path / "source"))
    table = source / "Data_Entry_2017_v2020.csv"
    text = table.read_text()
    table.write_text(text.replace(",22,M", ",148,M").replace(",22,F", ",148,F"))  # patient 2
    (source / "Data_Entry_2017.csv").write_text(text.replace("00000040_000.png,", "00000040_000.png,Edema|"))
    shutil.copy(source / "images" / "00000035_000.png", source / "images" / "00000004_001.png")
    (source / "images" / "00000005_000.png").write_text("no image")
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(source / "images" / "00000003_000.png")
    report = prepare(source, tmp_path / "data", size=32, workers=1)
    quality = read_quality(tmp_path / "data")
    images = quality[quality["image_id"] != ""]
    assert images.groupby("check")["image_id"].agg(list).to_dict() == {
        "undecodable": ["00000005_000.png"],
        "blank": ["00000003_000.png"],
        "exact-duplicate": ["00000004_001.png"],
        "age": [f"00000002_00{i}.png" for i in range(3)],
        "label-version": ["00000040_000.png"],
    }
    leak, labels, counts = report.notes
    assert leak.startswith("LEAK: 1 pair of images is the same radiograph")
    assert "the second is used" in labels
    assert "undecodable 1, blank 1, exact-duplicate 1, age 3, label-version 1" in counts
    assert all(note in report.summary() for note in report.notes)
