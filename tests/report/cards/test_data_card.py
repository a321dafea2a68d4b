"""A data card holds the counts of the folder, and says what it does not record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from card_reading import Card

from chestxpert.cli.main import main
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import DataError, RunError, UsageError
from chestxpert.report.cards import build_data_card
from chestxpert.report.cards.data_card import data_card
from chestxpert.report.results import finding_name
from chestxpert.simulator import simulate

SECTIONS = [
    "Motivation", "Composition", "Collection", "Labels and who gave them", "Preprocessing", "Quality", "Uses",
    "Distribution", "Maintenance",
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.load(dataset_folder)


@pytest.fixture(scope="module")
def card(dataset: Dataset) -> Card:
    return Card.read(data_card(dataset, draws=50))


def rewritten(folder: Path) -> Card:
    return Card.read(data_card(Dataset.load(folder), draws=5))


def test_the_sections_are_those_of_a_datasheet(card: Card) -> None:
    assert [title for level, title in card.headings if level == 2] == SECTIONS
    assert card.headings[0][1] == "Data card: tiny"
    assert "Research only." in card.first.text


def test_counts_are_those_of_the_cohort(card: Card, dataset: Dataset) -> None:
    cohort = dataset.cohort
    for split, words in (("train", "Training"), ("val", "Validation"), ("test", "Test")):
        row = card.row("Splits", words)
        assert (row["images"], row["patients"]) == (str(len(cohort.rows(split))), str(cohort.n_patients(split)))
        counts = cohort.counts(split)
        told = {finding_name(label): card.row("Labels", finding_name(label))[f"{words}: images"] for label in counts}
        assert told == {finding_name(label): str(count) for label, count in counts.items()}
    assert "Checked when this card was written: no patient is in two splits." in card.parts["Splits"].text


def test_findings_together_are_counted_as_in_the_table(card: Card, dataset: Dataset) -> None:
    table = dataset.cohort.table
    assert card.row("Labels together", "Effusion")["Infiltration"] == str(
        (table["Effusion"] & table["Infiltration"]).sum()
    )


def test_who_is_in_it(card: Card, dataset: Dataset) -> None:
    table = dataset.cohort.table
    assert card.row("Who is in it", "All images")["median"] == f"{table['age'].median():.0f}"
    assert card.row("Who is in it", "All images", 1)["sex: women"] == str((table["sex"] == "F").sum())


def test_boxes_are_counted(card: Card, dataset: Dataset) -> None:
    assert f"Boxes around findings: {len(dataset.boxes)}" in card.parts["Boxes"].text


def test_labels_of_nih_are_called_mined_and_others_are_not_claimed(
    card: Card, dataset: Dataset, dataset_copy: Path
) -> None:
    assert "software that mined radiology reports" in card.parts["Labels and who gave them"].text
    assert "NIH Clinical Center" in card.parts["Collection"].text
    Cohort(dataset.cohort.table.assign(source="mine"), dataset.cohort.label_space).save(dataset_copy / "cohort.parquet")
    other = rewritten(dataset_copy)
    assert "Who labelled, and from what: not recorded." in other.parts["Labels and who gave them"].items
    assert "NIH" not in data_card(Dataset.load(dataset_copy), draws=5).partition("## Maintenance")[0].replace(
        "Format of the source: nih", ""
    )


def test_quality_remarks_are_counted_by_check(card: Card, dataset_copy: Path) -> None:
    quality = pd.read_csv(dataset_copy / "quality.csv")
    rows = {row[0]: row[2] for row in card.parts["Quality"].tables[0][1:]}
    assert rows == {check: str(count) for check, count in quality["check"].value_counts().items()}
    (dataset_copy / "quality.csv").unlink()
    without = rewritten(dataset_copy)
    assert "Quality control: not measured; the data set was prepared without it." in without.parts["Quality"].items
    assert any("was not looked for" in item for item in without.parts["Quality"].items)


def test_a_radiograph_in_two_splits_is_told(card: Card, dataset: Dataset, dataset_copy: Path) -> None:
    assert "Leaks: no pair of images" in card.parts["Quality"].text
    ids = dataset.cohort.image_ids
    one, other = ids[dataset.cohort.rows("train")[0]], ids[dataset.cohort.rows("test")[0]]
    rows = f'check,image_id,other,value,detail\nexact-duplicate,{one},{other},,"The same pixels."\n'
    (dataset_copy / "quality.csv").write_text(rows)
    told = rewritten(dataset_copy).parts["Quality"].text
    assert "LEAK: 1 pair of images is the same radiograph in two splits" in told
    assert "Leaks: no pair" not in told


def test_rejects_are_listed_by_reason_and_missed_where_there_is_no_list(card: Card, dataset_copy: Path) -> None:
    rejects = pd.read_csv(dataset_copy / "rejects.csv")
    rows = {row[0]: row[3] for row in card.parts["Preprocessing"].tables[0][1:]}
    assert rows == {reason: str(count) for reason, count in rejects["reason"].value_counts().items()}
    (dataset_copy / "rejects.csv").write_text("image_id,reason,detail\n")
    assert "Left out: nothing." in rewritten(dataset_copy).parts["Preprocessing"].items
    (dataset_copy / "rejects.csv").unlink()
    assert "What was left out: not recorded." in rewritten(dataset_copy).parts["Preprocessing"].items


def test_a_folder_that_records_little_has_a_card_that_says_so(dataset_copy: Path) -> None:
    info = json.loads((dataset_copy / "dataset.json").read_text())
    (dataset_copy / "dataset.json").write_text(json.dumps({"schema": info["schema"]}))
    little = rewritten(dataset_copy)
    assert "Format of the source: not recorded." in little.parts["Collection"].items
    assert "Files it was prepared from: not recorded." in little.parts["Collection"].items
    assert "How it was divided: not recorded." in little.parts["Splits"].text
    assert "How to make it again: not recorded." in little.parts["Maintenance"].items
    assert little.parts["Maintenance"].fences == []


def test_it_is_made_again_by_the_command_that_made_it(card: Card, dataset: Dataset) -> None:
    ((language, command),) = card.parts["Maintenance"].fences
    assert language == "sh"
    assert command.startswith("chestxpert data prepare")
    assert "--size 32" in command
    assert f"Fingerprint of the pixels: {dataset.store.fingerprint}." in card.parts["Maintenance"].items


def test_simulated_images_are_said_first_and_loud(tmp_path: Path, card: Card) -> None:
    simulate(tmp_path / "drawn", images=30, size=32, seed=3)
    prepare(tmp_path / "drawn", tmp_path / "data", size=32, workers=1)
    text = build_data_card(tmp_path / "data", draws=5).read_text(encoding="utf-8")
    drawn = Card.read(text)
    assert drawn.first.paragraphs[0].startswith("SIMULATED IMAGES.")
    assert {"simulated-images", "not-radiographs"} <= set(drawn.head["tags"])
    assert "the simulator, which drew the findings" in drawn.parts["Labels and who gave them"].text
    assert "no patients behind drawings" in drawn.parts["Collection"].text
    assert "NIH Clinical Center" not in text
    assert not any(paragraph.startswith("SIMULATED") for paragraph in card.first.paragraphs)


def test_unknown_labels_are_told(dataset: Dataset, dataset_copy: Path, card: Card) -> None:
    assert "Unknown labels: none; each label is given for every image." in card.parts["Labels and who gave them"].items
    table = dataset.cohort.table.copy()
    findings = [label for label in dataset.cohort.label_space.findings if label != "Effusion"]
    some = table.index[table[findings].any(axis=1)][:3]
    table["Effusion"] = table["Effusion"].astype("boolean")
    table.loc[some, "Effusion"] = pd.NA
    Cohort(table, dataset.cohort.label_space).save(dataset_copy / "cohort.parquet")
    told = rewritten(dataset_copy).parts["Labels and who gave them"].text
    assert re.search(r"3 of [\d\s]+ labels are unknown", told)


def test_the_command_writes_the_card_and_keeps_what_a_person_wrote(
    dataset_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "card", str(dataset_copy), "--draws", "5", "--license", "cc0-1.0"]
    assert main(command) == 0
    path = dataset_copy / "data-card.md"
    assert capsys.readouterr().out == f"Card: {path}\n"
    first = path.read_bytes()
    assert main(command) == 0
    assert path.read_bytes() == first
    assert "Licence: cc0-1.0, as named" in first.decode()
    path.write_bytes(first + b"mine\n")
    with pytest.raises(RunError, match="not overwritten"):
        build_data_card(dataset_copy)


def test_wrong_arguments_and_folders_are_refused(dataset_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 draw or more"):
        build_data_card(dataset_copy, draws=0)
    with pytest.raises(DataError, match="is no data set"):
        build_data_card(tmp_path)
