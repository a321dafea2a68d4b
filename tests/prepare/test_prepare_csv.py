"""From other people's folders to dataset folders: tables and images together, through the command line too."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chestxpert.cli.main import main
from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import UsageError
from chestxpert.report.cards import build_data_card


def draw(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), grey, dtype=np.uint8)).save(path)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """24 images of 12 patients under names that repeat in every patient's folder, and a complete table."""
    folder = tmp_path / "ours"
    lines = ["path;person;Effusion;Crib;normal"]
    for patient in range(12):
        for number in range(2):
            draw(folder / "pictures" / f"p{patient}" / f"{number}.png", 10 * patient + number)
            effusion, crib = patient % 2, int(patient % 3 == 0)
            lines.append(f"p{patient}/{number}.jpg;{patient};{effusion};{crib};{int(not effusion and not crib)}")
    lines.append("p99/0.jpg;99;1;0;0")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    draw(folder / "pictures" / "p0" / "7.png", 255)
    return folder


OURS = CsvColumns("path", "person", labels=("Effusion", "Crib", "normal"), name="ours")


def test_each_row_gets_its_own_image_though_names_repeat(ours: Path, tmp_path: Path) -> None:
    report = prepare(ours, tmp_path / "data", format="csv", columns=OURS, size=16, workers=1)
    dataset = Dataset.load(report.folder)
    assert (report.source, report.split, report.label_space) == ("ours", "random", "ours")
    assert report.rejects == {"missing-image": 1, "no-row": 1}
    greys = dataset.store.pixels[dataset.pixel_rows()][:, 0, 0]
    expected = [10 * int(name.split("/")[0][1:]) + int(name[-5]) for name in dataset.cohort.image_ids]
    assert greys.tolist() == expected
    table = dataset.cohort.table.set_index("image_id")
    assert table.loc["p3/1.jpg", ["patient_id", "Effusion", "Crib", "No Finding"]].tolist() == ["3", True, True, False]
    info = json.loads((report.folder / "dataset.json").read_text())
    assert info["arguments"]["columns"]["image"] == "path"


def test_sides_of_ones_own_table_are_not_called_those_of_nih_cxr_lt(ours: Path, tmp_path: Path) -> None:
    table = pd.read_csv(ours / "labels.csv", sep=";")
    table["side"] = [("train", "val", "test")[person % 3] for person in table["person"]]
    table.to_csv(ours / "labels.csv", index=False)
    columns = replace(OURS, split="side")
    report = prepare(ours, tmp_path / "data", format="csv", columns=columns, size=16, workers=1)
    assert report.split == "tables"
    card = build_data_card(report.folder, tmp_path / "card.md", draws=5).read_text(encoding="utf-8")
    for text in (report.summary(), card):
        assert "NIH-CXR-LT" not in text
        assert "tables say, " in text


def test_the_command_line_reads_a_table_of_ones_own(
    ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "prepare", str(ours), "--format", "csv", "--size", "16", "--workers", "1"]
    named = ["--image-column", "path", "--label-columns", "Fluid=Effusion", "Crib", "normal"]
    assert main([*words, "--out", str(tmp_path / "a"), *named]) == 2
    assert "the split would be by image" in capsys.readouterr().err
    text = (ours / "labels.csv").read_text()
    (ours / "labels.csv").write_text(text.replace("Effusion", "Fluid"))
    assert main([*words, "--out", str(tmp_path / "a"), *named, "--patient-column", "person"]) == 0
    assert "24 images of 12 patients" in capsys.readouterr().out
    (tmp_path / "ours.yaml").write_text(
        "image: path\npatient: person\nfindings: {Fluid: Effusion, Crib: Crib, normal: normal}\n"
    )
    assert main([*words, "--out", str(tmp_path / "b"), "--columns", str(tmp_path / "ours.yaml")]) == 0
    assert (
        Cohort.load(tmp_path / "a" / "cohort.parquet").fingerprint
        == Cohort.load(tmp_path / "b" / "cohort.parquet").fingerprint
    )
    capsys.readouterr()
    assert (
        main([*words, "--out", str(tmp_path / "c"), "--columns", str(tmp_path / "ours.yaml"), "--split", "test"]) == 0
    )
    assert f"Next: chestxpert evaluate RUN --data {tmp_path / 'c'}" in capsys.readouterr().out
    assert set(Cohort.load(tmp_path / "c" / "cohort.parquet").table["split"]) == {"test"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--image-column", "path"], "Columns are for '--format csv'"),
        (["--format", "chexpert", "--label-columns", "Mass"], "chexpert's layout is known"),
        (["--split", "test"], "NIH's layout has train and test sides"),
        (["--format", "csv", "--patient-column", "p", "--label-columns", "Mass"], "--image-column"),
        (["--format", "csv", "--columns", "nowhere.yaml"], "cannot be read as text"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: list[str], told: str, tiny_nih: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "prepare", str(tiny_nih), "--out", str(tmp_path / "out"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_columns_and_their_format_go_together(ours: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="follows from their columns"):
        prepare(ours, tmp_path / "data", format="csv", columns=OURS, labels="cxrlt20")
    for given in ({"format": "csv"}, {"format": "padchest", "columns": OURS}, {"columns": OURS}):
        with pytest.raises(UsageError, match="go together"):
            prepare(ours, tmp_path / "data", **given)  # type: ignore[arg-type]


def test_chexpert_as_it_is_shipped(tmp_path: Path) -> None:
    root = tmp_path / "renamed"
    lines = ["Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Pneumothorax,Pleural Effusion"]
    for patient in range(1, 9):
        for view, side in (("view1_frontal", "Frontal,PA"), ("view2_lateral", "Lateral,")):
            path = f"train/patient{patient:05d}/study1/{view}.jpg"
            draw(root / path, 20 * patient)
            edema = ("1.0", "-1.0", "0.0", "")[patient % 4]
            lines.append(f"CheXpert-v1.0-small/{path},Female,60,{side},,{edema},0.0,")
    (root / "train.csv").write_text("\n".join(lines) + "\n")
    report = prepare(root, tmp_path / "data", format="chexpert", size=16, split="test", workers=1)
    assert (report.source, dict(report.images)) == ("chexpert", {"train": 0, "val": 0, "test": 8})
    assert report.rejects == {"lateral-view": 8}
    kept = prepare(root, tmp_path / "all", format="chexpert", size=16, split="test", lateral="keep", workers=1)
    assert kept.images["test"] == 16
    cohort = Dataset.load(report.folder).cohort
    edema = cohort.label_space.index("Edema")
    assert cohort.known()[:, edema].tolist() == [False, True, False, True] * 2  # type: ignore[attr-defined]
    assert cohort.labels()[:, edema].tolist() == [False, False, False, True] * 2
    assert pd.isna(cohort.table["Effusion"]).all()
