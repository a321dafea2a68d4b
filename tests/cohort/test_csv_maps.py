"""The ready-made maps, each on a small table in its data set's real layout."""

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from chestxpert.cohort.csv_source import read_csv_source, read_layout_table, split_csv_source
from chestxpert.cohort.maps import LAYOUTS, layout
from chestxpert.errors import CohortError, DataError, UsageError
from chestxpert.labels import NIH15

CHEXPERT_14 = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
    "Support Devices",
)  # fmt: skip
CHEXPERT_HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(CHEXPERT_14)
VINDR_28 = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation",
    "Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst",
    "Mediastinal shift", "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "Rib fracture", "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis",
    "Other diseases", "No finding",
)  # fmt: skip


def findings(frame: pd.DataFrame, image: str) -> dict[str, bool]:
    """What is known of an image: True and False by label."""
    row = frame.set_index("image_id").loc[image, list(NIH15.labels)]
    return {name: bool(value) for name, value in row.items() if not pd.isna(value)}


def chexpert_row(path: str, *person: str, **cells: str) -> str:
    return ",".join([path, *person, *(cells.get(name.replace(" ", "_"), "") for name in CHEXPERT_14)])


@pytest.fixture
def chexpert(tmp_path: Path) -> Path:
    root = "CheXpert-v1.0-small"
    train = [
        chexpert_row(f"{root}/train/patient00001/study1/view1_frontal.jpg", "Female", "68", "Frontal", "AP",
                     No_Finding="1.0", Pneumothorax="0.0", Support_Devices="1.0"),
        chexpert_row(f"{root}/train/patient00002/study2/view1_frontal.jpg", "Female", "87", "Frontal", "PA",
                     Lung_Opacity="-1.0", Consolidation="-1.0", Pleural_Effusion="1.0", Edema="0.0"),
        chexpert_row(f"{root}/train/patient00002/study2/view2_lateral.jpg", "Female", "87", "Lateral", "",
                     Pleural_Effusion="1.0"),
        chexpert_row(f"{root}/train/patient00003/study1/view1_frontal.jpg", "Unknown", "0", "Frontal", "LL",
                     Fracture="1.0"),
        chexpert_row(f"{root}/train/patient00004/study1/view1_frontal.jpg", "Male", "41", "Frontal", "AP",
                     Fracture="1.0"),
        chexpert_row(f"{root}/train/patient00005/study1/view1_frontal.jpg", "Male", "41", "Frontal", "AP",
                     No_Finding="1.0", Edema="1.0"),
    ]  # fmt: skip
    valid = [
        chexpert_row(f"{root}/valid/patient64541/study1/view1_frontal.jpg", "Male", "73", "Frontal", "AP",
                     **{name.replace(" ", "_"): "0.0" for name in CHEXPERT_14} | {"Lung_Opacity": "1.0"}),
    ]  # fmt: skip
    for name, rows in (("train.csv", train), ("valid.csv", valid)):
        (tmp_path / name).write_text("\n".join([CHEXPERT_HEADER, *rows]) + "\n")
    return tmp_path


def test_chexpert(chexpert: Path) -> None:
    source = read_csv_source(chexpert, "chexpert")
    frame = source.frame
    first, second, valid = frame["image_id"]
    assert frame["patient_id"].tolist() == ["patient00001", "patient00002", "patient64541"]
    assert frame[["view", "sex", "age", "split", "source"]].to_numpy().tolist() == [
        ["AP", "F", 68.0, "train", "chexpert"],
        ["PA", "F", 87.0, "train", "chexpert"],
        ["AP", "M", 73.0, "val", "chexpert"],
    ]
    labelled = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Pneumonia", "Pneumothorax")
    assert findings(frame, first) == dict.fromkeys(labelled, False) | {"No Finding": True}
    assert findings(frame, second) == {"Effusion": True, "Edema": False, "No Finding": False}
    # Every finding of CheXpert is denied, and No Finding too, for its Lung Opacity: NIH's No Finding stays open.
    assert findings(frame, valid) == dict.fromkeys(labelled, False)
    assert sorted((reject.image_id[20:], reject.reason) for reject in source.rejects) == [
        ("train/patient00002/study2/view2_lateral.jpg", "lateral-view"),
        ("train/patient00003/study1/view1_frontal.jpg", "lateral-view"),
        ("train/patient00004/study1/view1_frontal.jpg", "unlabelled"),
        ("train/patient00005/study1/view1_frontal.jpg", "contradiction"),
    ]
    assert source.names.match(f"x/{first.removeprefix('CheXpert-v1.0-small/')}") == (first,)
    assert (
        "Emphysema, Fibrosis, Hernia, Infiltration, Mass, Nodule, Pleural_Thickening: not labelled" in source.notes[0]
    )
    assert "1 rows say that No Finding does not hold" in source.notes[1]


def test_a_table_of_chexperts_without_persons_still_parts_frontal_from_lateral(chexpert: Path) -> None:
    header = "Path," + ",".join(CHEXPERT_14)
    rows = [
        f"test/patient{n}/study1/view1_{view}.jpg," + "0," * 13 + "0" for n, view in ((1, "frontal"), (2, "lateral"))
    ]
    (chexpert / "test.csv").write_text("\n".join([header, *rows]))
    source = read_layout_table(chexpert, "chexpert", "test.csv")
    assert source.frame["image_id"].tolist() == ["test/patient1/study1/view1_frontal.jpg"]
    assert source.frame["split"].tolist() == ["test"]
    assert [reject.reason for reject in source.rejects] == ["lateral-view"]


def test_mimic_joins_labels_of_studies_to_images(tmp_path: Path) -> None:
    labels = "subject_id,study_id,Cardiomegaly,Edema,No Finding,Pleural Effusion,Lung Lesion\n" + "\n".join(
        ["10000032,50414267,,,1.0,,", "10000032,53189527,-1.0,1.0,,0.0,", "10000764,57375967,,,,,1.0"]
    )
    metadata = "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns\n" + "\n".join(
        [
            '02aa804e,10000032,50414267,"CHEST (PA AND LAT)",PA,3056,2544',
            '174413ec,10000032,50414267,"CHEST (PA AND LAT)",LATERAL,3056,2544',
            "2a2277a9,10000032,53189527,CHEST,AP,3056,2544",
            "e084de3b,10000764,57375967,CHEST,,3056,2544",
            "68b5c4b1,10000898,50771383,CHEST,AP,3056,2544",
        ]
    )
    split = "dicom_id,study_id,subject_id,split\n02aa804e,50414267,10000032,train\n2a2277a9,53189527,10000032,validate"
    for name, text in (("chexpert", labels), ("metadata", metadata), ("split", split)):
        (tmp_path / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    source = read_csv_source(tmp_path, "mimic-cxr-jpg")
    frame = source.frame
    assert frame[["image_id", "patient_id", "view", "split"]].to_numpy().tolist() == [
        ["02aa804e", "10000032", "PA", "train"],
        ["2a2277a9", "10000032", "AP", "val"],
    ]
    assert findings(frame, "2a2277a9") == {"Edema": True, "Effusion": False, "No Finding": False}
    assert {reject.image_id: reject.reason for reject in source.rejects} == {
        "174413ec": "lateral-view", "e084de3b": "unlabelled", "68b5c4b1": "unlabelled",
    }  # fmt: skip
    assert source.names.match("files/p10/p10000032/s53189527/2a2277a9.jpg") == ("2a2277a9",)
    by_hand = "study_id,No Finding,Cardiomegaly,Airspace Opacity\n57375967,0,1,1"
    (tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv").write_text(by_hand)
    hand = read_layout_table(tmp_path, "mimic-cxr-jpg", "mimic-cxr-2.1.0-test-set-labeled.csv")
    assert findings(hand.frame, "e084de3b") == {"Cardiomegaly": True, "No Finding": False}


def padchest_row(image: str, labels: str, view: str = "PA", patient: str = "7") -> str:
    return f'0,{image},0,20140915,1,{patient},1930.0,M,POSTEROANTERIOR,{view},No,"a report",RNN_model,"{labels}",[]'


@pytest.fixture
def padchest(tmp_path: Path) -> Path:
    header = (
        ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
        "Pediatric,Report,MethodLabel,Labels,Localizations"
    )
    rows = [
        padchest_row("normal.png", "['normal']"),
        padchest_row("spaces.png", "[' pleural effusion', 'laminar  atelectasis ', 'COPD signs']", "AP_horizontal"),
        padchest_row("other.png", "['scoliosis', 'aortic elongation']"),
        padchest_row("unchanged.png", "['unchanged']"),
        padchest_row("partly.png", "['unchanged', 'cardiomegaly']"),
        padchest_row("consolidated.png", "['consolidation', 'subcutaneous emphysema']"),
        padchest_row("lateral.png", "['normal']", "L"),
        padchest_row("excluded.png", "['normal']", "EXCLUDE"),
        padchest_row("empty.png", ""),
        padchest_row("broken.png", "['normal"),
        padchest_row("both.png", "['normal', 'nodule']"),
    ]
    (tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv").write_text("\n".join([header, *rows]) + "\n")
    return tmp_path


def test_padchest(padchest: Path) -> None:
    source = read_csv_source(padchest, "padchest")
    frame = source.frame
    absent = dict.fromkeys(NIH15.findings, False)
    assert findings(frame, "normal.png") == absent | {"No Finding": True}
    assert findings(frame, "other.png") == absent | {"No Finding": True}  # none of the fourteen, as NIH means it
    spaces = absent | {"Effusion": True, "Atelectasis": True, "No Finding": False}
    assert findings(frame, "spaces.png") == {k: v for k, v in spaces.items() if k != "Emphysema"}
    assert findings(frame, "partly.png") == {"Cardiomegaly": True, "No Finding": False}
    consolidated = absent | {"Consolidation": True, "No Finding": False}
    assert findings(frame, "consolidated.png") == {k: v for k, v in consolidated.items() if k != "Infiltration"}
    assert frame.set_index("image_id").loc["spaces.png", ["view", "sex", "age"]].tolist() == ["AP", "M", 84.0]
    assert {reject.image_id: reject.reason for reject in source.rejects} == {
        "lateral.png": "lateral-view", "excluded.png": "lateral-view", "unchanged.png": "unlabelled",
        "empty.png": "unlabelled", "broken.png": "bad-row", "both.png": "contradiction",
    }  # fmt: skip
    assert "3 names in the lists stand for no finding" in source.notes[-1]


def vindr_row(image: str, reader: str | None, *present: str) -> str:
    return ",".join([image, *([reader] if reader else []), *("1" if name in present else "0" for name in VINDR_28)])


@pytest.fixture
def vindr(tmp_path: Path) -> Path:
    (tmp_path / "annotations").mkdir()
    readers = ("R8", "R9", "R10")
    train = [
        *map(vindr_row, "aaa", readers, ("Edema", "Edema", "No finding"), ("Edema", "ILD", "No finding")),
        *map(vindr_row, "bbb", readers, ("Edema", "Pneumonia", "Nodule/Mass")),
    ]
    test = [vindr_row("c", None, "No finding"), vindr_row("d", None, "Nodule/Mass"), vindr_row("e", None, "ILD")]
    header = ",".join(["image_id", "rad_id", *VINDR_28])
    (tmp_path / "annotations" / "image_labels_train.csv").write_text("\n".join([header, *train]))
    header = ",".join(["image_id", *VINDR_28]).replace("Other diseases", "Other disease")
    (tmp_path / "annotations" / "image_labels_test.csv").write_text("\n".join([header, *test]))
    return tmp_path


def test_vindr_counts_votes_and_parts_what_is_merged(vindr: Path) -> None:
    frame = read_csv_source(vindr, "vindr-cxr").frame
    asked = dict.fromkeys((name for name in NIH15.findings if name != "Hernia"), False)
    assert frame["split"].tolist() == ["train", "train", "test", "test", "test"]
    assert findings(frame, "a") == asked | {"Edema": True, "No Finding": False}
    assert findings(frame, "b") == asked  # no majority for a finding, and none for No Finding
    assert findings(frame, "c") == asked | {"No Finding": True}
    merged = {name: value for name, value in asked.items() if name not in ("Mass", "Nodule")}
    assert findings(frame, "d") == merged | {"No Finding": False}
    assert findings(frame, "e") == asked


def test_vindr_names_no_patients_so_it_may_only_test(vindr: Path) -> None:
    source = read_csv_source(vindr, "vindr-cxr")
    for way in ("official", "random"):
        with pytest.raises(CohortError, match="names no patients"):
            split_csv_source(source, source.frame, way, 0.2, 0)
    split = split_csv_source(source, source.frame, "auto", 0.2, 0)
    assert (split.way, set(split.frame["split"])) == ("test", {"test"})
    assert any("each image counts as a patient" in note for note in split.notes)


def test_chexperts_valid_is_the_test_side_where_there_is_no_other(chexpert: Path) -> None:
    source = read_csv_source(chexpert, "chexpert")
    split = split_csv_source(source, source.frame, "official", 0.5, 0)
    assert sorted(split.frame["split"]) == ["test", "train", "val"]
    assert split.frame["split"].tolist()[2] == "test"
    assert any("the validation rows are it" in note for note in split.notes)


def test_a_folder_without_the_tables_says_which(tmp_path: Path) -> None:
    for name in LAYOUTS:
        with pytest.raises(DataError, match=r"\.csv"):
            read_csv_source(tmp_path, name)
    with pytest.raises(UsageError, match="chexpert, mimic-cxr-jpg, padchest, vindr-cxr"):
        layout("openi")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_map_names_labels_of_nihs_and_gives_its_reasons(name: str) -> None:
    rules = LAYOUTS[name].rules
    for column, rule in rules.rules.items():
        assert {*rule.holds, *rule.one_of, *rule.leaves_open} <= set(NIH15.labels), column
        assert rule.holds or rule.one_of or rule.leaves_open, column
        assert rule.why, column
    assert not set(rules.unused) & set(rules.rules)
    assert all(rules.unused.values())
    published = {"chexpert": CHEXPERT_14, "mimic-cxr-jpg": CHEXPERT_14, "vindr-cxr": VINDR_28}
    if name in published:
        assert {*rules.rules, *rules.unused} == set(published[name])


def test_findings_a_data_set_has_no_word_for_stay_out_of_its_map() -> None:
    assert set(LAYOUTS["chexpert"].rules.labelled) == {
        "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Pneumonia", "Pneumothorax", "No Finding",
    }  # fmt: skip
    assert set(NIH15.labels) - set(LAYOUTS["vindr-cxr"].rules.labelled) == {"Hernia"}
    assert LAYOUTS["padchest"].rules.labelled == NIH15.labels


def test_the_page_on_cohorts_shows_every_pair_of_every_map() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cohorts.md").read_text(encoding="utf-8")
    for name, known in LAYOUTS.items():
        part = page.split(f"### {name}\n")[1].split("\n### ")[0]
        for column, rule in known.rules.rules.items():
            lines = [line for line in part.splitlines() if re.search(rf"(^|[|,] ?){re.escape(column)}[ ,|]", line)]
            assert lines, f"{name}: {column}"
            assert any(rule.why in line for line in lines), f"{name}: {column}: {rule.why}"
        assert all(column in part for column in known.rules.unused), name


def test_votes_are_counted_by_image_not_by_line(vindr: Path) -> None:
    path = vindr / "annotations" / "image_labels_train.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[::-1]]))
    frame = read_csv_source(vindr, "vindr-cxr").frame
    assert sorted(frame["image_id"]) == ["a", "b", "c", "d", "e"]
    assert findings(frame, "a")["Edema"] is True
