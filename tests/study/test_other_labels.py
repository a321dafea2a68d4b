"""Another source's labels for a study's images: matched by name, stored, and held against the study's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import DataError, UsageError
from chestxpert.evaluation.agreement import SharedImages, describe_agreement
from chestxpert.labels import CXRLT20, NIH15
from chestxpert.prepare.tables import Format
from chestxpert.study.other_labels import OTHER_LABELS, add_other_labels, match_images, stored_other_labels

READERS = Format("csv", CsvColumns(image="file", patient="file", labels=("Effusion", "Mass")))


def study_of(folder: Path, ids: list[str], origins: list[str] | None = None) -> Path:
    """A folder with a cohort of images that all have an effusion."""
    labels = np.zeros((len(ids), 15), dtype=bool)
    labels[:, NIH15.index("Effusion")] = True
    patients = [name[:1] for name in ids]
    table = make_table(ids, patients, labels, NIH15, split="train", source="nih", origin=origins or "")
    Cohort(table, NIH15).save(folder / "cohort.parquet")
    return folder


def test_labels_are_matched_stored_and_counted(tmp_path: Path) -> None:
    study = study_of(tmp_path, ["a1.png", "a2.png", "b1.png"])
    readers = tmp_path / "readers.csv"
    readers.write_text("file,Effusion,Mass\nb1.png,0,1\nx.png,1,1\na1.png,1,\nb1.jpg,1,0\na2.png,,\n")
    added = add_other_labels(study, readers, READERS)
    assert (added.strangers, added.unclear, added.refused) == (1, 1, 1)
    assert added.cohort.image_ids.tolist() == ["a1.png", "b1.png"]
    assert added.cohort.patients.tolist() == ["a", "b"]
    assert added.cohort.table["Effusion"].tolist() == [True, False]
    assert added.cohort.known()[:, NIH15.index("Mass")].tolist() == [False, True]
    assert set(added.cohort.table["source"]) == {"readers"}
    stored = stored_other_labels(study)
    assert stored is not None
    assert stored.fingerprint == added.cohort.fingerprint


def test_names_may_have_more_or_fewer_folders_on_either_side(tmp_path: Path) -> None:
    cohort = Cohort.load(study_of(tmp_path, ["a/one.png", "a/two.png", "b/two.png"]) / "cohort.parquet")
    assert match_images(cohort, ["set/a/one.jpg", "one", "two.png", "b/two", "three.png"]).tolist() == [0, 0, -2, 2, -1]


def test_copies_are_nobodys_image(tmp_path: Path) -> None:
    cohort = Cohort.load(study_of(tmp_path, ["a.png", "a_aug-1.png"], ["", "a.png"]) / "cohort.parquet")
    assert match_images(cohort, ["a.png", "a_aug-1.png"]).tolist() == [0, -1]


def test_nihs_own_table_is_read_as_a_file(tiny_nih: Path, tmp_path: Path) -> None:
    name = "00000001_000.png"
    study = study_of(tmp_path, [name])
    added = add_other_labels(study, tiny_nih / "Data_Entry_2017_v2020.csv", Format())
    assert len(added.cohort) == 1
    assert added.strangers == 119
    with pytest.raises(UsageError, match="name the folder"):
        add_other_labels(study, tiny_nih / "Data_Entry_2017_v2020.csv", Format(), CXRLT20)


def test_what_cannot_be_held_against_a_study_is_explained(tmp_path: Path) -> None:
    study = study_of(tmp_path, ["a1.png"])
    table = tmp_path / "readers.csv"
    with pytest.raises(DataError, match=r"There is no .*readers\.csv"):
        add_other_labels(study, table, READERS)
    table.write_text("file,Effusion,Mass\nz9.png,1,0\n")
    with pytest.raises(DataError, match=r"none of the study's images. It names them like 'z9.png', the study like 'a1"):
        add_other_labels(study, table, READERS)
    table.write_text("file,Effusion,Mass\na1.png,maybe,0\n")
    with pytest.raises(DataError, match="no usable row"):
        add_other_labels(study, table, READERS)
    table.write_text("file,Tube\na1.png,1\n")
    tubes = Format("csv", CsvColumns(image="file", patient="file", labels=("Tube",)))
    with pytest.raises(DataError, match=r"names no finding of this study\. It has Tube"):
        add_other_labels(study, table, tubes)
    assert not (study / OTHER_LABELS).exists()
    assert stored_other_labels(study) is None


def test_nih_cxr_lt_agrees_with_nih_but_for_what_it_adds(nih_tables: Path, tmp_path: Path) -> None:
    from chestxpert.cohort.source import read_source, split_source

    source = read_source(nih_tables, NIH15)
    frame = source.frame.iloc[::20].reset_index(drop=True)
    split = split_source(source, frame, "official", 0.2, 0)
    cohort = Cohort(split.frame.reset_index(drop=True), NIH15)
    cohort.save(tmp_path / "cohort.parquet")
    tables = tmp_path / "cxrlt"
    tables.mkdir()
    for path in nih_tables.glob("*nih-cxr-lt*"):
        shutil.copy(path, tables)
    added = add_other_labels(tmp_path, tables, Format(), CXRLT20)
    told = describe_agreement(cohort, SharedImages.of(cohort, added.cohort), 20, 0)["per_label"]
    # The fourteen are NIH's own there; No Finding gives way to the five that were added.
    assert all(told[name]["kappa"]["mean"] > 0.99 for name in NIH15.findings)
    assert told["No Finding"]["only_there"] == 0
    assert told["No Finding"]["only_here"] > 10
