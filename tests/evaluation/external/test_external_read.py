"""Anybody's table of predictions: what is found in it, and every way in which it can be wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError, PredictionsError
from chestxpert.evaluation.external import read_external
from chestxpert.evaluation.predictions import Predictions

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def mine(cohort: Cohort, make_predictions: Callable[..., Predictions]) -> Predictions:
    return make_predictions(cohort)


@pytest.fixture
def frame(mine: Predictions) -> pd.DataFrame:
    """A table of every validation and test image, which a test may change."""
    return mine.frame.drop(columns="split").rename(columns={"image_id": "image"})


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, float_format="%.17g")
    return path


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet"])
def test_a_file_gives_the_very_probabilities(
    suffix: str, frame: pd.DataFrame, mine: Predictions, cohort: Cohort, tmp_path: Path
) -> None:
    path = tmp_path / f"theirs.{suffix}"
    text = frame.to_csv(index=False, float_format="%.17g", sep="\t" if suffix == "tsv" else ",")
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    read = read_external("theirs", path, cohort)
    for split in ("val", "test"):
        assert np.array_equal(read.runs[0].align(cohort, split)[0], mine.align(cohort, split)[0])
    (file,) = read.record["files"]
    assert (file["file"], file["rows"]) == (path.name, len(frame))
    assert len(file["sha256"]) == 64
    assert read.record["not_measured"] == {}
    assert not read.rejects


@pytest.mark.parametrize("name", ["image", "Image Index", "image_id", "filename", "File Path", "ImageID", "path", "id"])
def test_the_column_of_images_has_any_sensible_name(name: str, frame: pd.DataFrame, cohort: Cohort) -> None:
    read = read_external("theirs", frame.rename(columns={"image": name}), cohort)
    assert read.record["files"][0]["image_column"] == name


def test_images_may_stand_in_the_index(frame: pd.DataFrame, cohort: Cohort, tmp_path: Path) -> None:
    assert len(read_external("theirs", frame.set_index("image"), cohort).runs[0]) == len(frame)
    frame.set_index("image").rename_axis(None).to_csv(tmp_path / "a.csv")
    assert len(read_external("theirs", tmp_path / "a.csv", cohort).runs[0]) == len(frame)


def test_an_index_that_stands_in_the_table_too_is_read_once(frame: pd.DataFrame, cohort: Cohort) -> None:
    assert len(read_external("theirs", frame.set_index("image", drop=False), cohort).runs[0]) == len(frame)
    other = frame.set_index(frame["image"].to_numpy()[::-1]).rename_axis("image")
    with pytest.raises(PredictionsError, match="2 columns of the table are called 'image'"):
        read_external("theirs", other, cohort)


@pytest.mark.parametrize(("column", "words"), [("image", "no image in row 2"), ("seed", "seed is '' in row 2")])
def test_what_pandas_says_of_missing_cells_is_understood(
    column: str, words: str, frame: pd.DataFrame, cohort: Cohort
) -> None:
    frame["seed"] = "0"
    frame[column] = frame[column].astype("string")
    frame.loc[1, column] = pd.NA
    with pytest.raises(PredictionsError, match=words):
        read_external("theirs", frame, cohort)


def test_a_split_that_is_missing_is_no_split(frame: pd.DataFrame, cohort: Cohort) -> None:
    frame["split"] = pd.array([pd.NA] * len(frame), dtype="string")
    assert len(read_external("theirs", frame, cohort).runs[0]) == len(frame)


def test_training_rows_alone_measure_nothing(cohort: Cohort) -> None:
    names = cohort.image_ids[cohort.rows("train")]
    for columns in ({}, {"seed": 3}):
        table = pd.DataFrame({"image": names, "Mass": 0.5} | columns)
        with pytest.raises(PredictionsError, match="predicts none of the data set's test images"):
            read_external("theirs", table, cohort)


@pytest.mark.parametrize(
    "written_as",
    ["images_001/images/{}.png", "{}", "{}.jpg", "C:\\scans\\{}.dcm"],
    ids=["folder", "bare", "jpg", "dcm"],
)
def test_folder_and_suffix_do_not_matter(written_as: str, frame: pd.DataFrame, cohort: Cohort) -> None:
    plain = read_external("theirs", frame, cohort).runs[0]
    frame["image"] = [written_as.format(name.removesuffix(".png")) for name in frame["image"]]
    assert read_external("theirs", frame, cohort).runs[0].frame.equals(plain.frame)


def test_findings_are_matched_by_alias_case_and_underscore(frame: pd.DataFrame, cohort: Cohort) -> None:
    plain = read_external("theirs", frame, cohort).runs[0]
    renamed = {"Pleural_Thickening": "pleural thickening", "Infiltration": "Infiltrate", "No Finding": "NO_FINDING"}
    assert read_external("theirs", frame.rename(columns=renamed), cohort).runs[0].frame.equals(plain.frame)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_changes_nothing(seed: int, frame: pd.DataFrame, cohort: Cohort) -> None:
    rng = np.random.default_rng(seed)
    mixed = frame.iloc[rng.permutation(len(frame)), rng.permutation(frame.shape[1])]
    plain, other = (read_external("theirs", table, cohort) for table in (frame, mixed.reset_index(drop=True)))
    assert other.runs[0].frame.equals(plain.runs[0].frame)
    assert other.record == plain.record


def test_per_cent_are_not_taken_for_logits(frame: pd.DataFrame, cohort: Cohort) -> None:
    labels = list(cohort.label_space.labels)
    frame[labels] = 100 * frame[labels]
    with pytest.raises(PredictionsError, match=r"If these are per cent, divide them by 100; if they are logits"):
        read_external("theirs", frame, cohort)


def test_logits_become_probabilities(frame: pd.DataFrame, cohort: Cohort) -> None:
    labels = list(cohort.label_space.labels)
    plain = read_external("theirs", frame, cohort).runs[0]
    frame[labels] = np.log(frame[labels] / (1 - frame[labels]))
    read = read_external("theirs", frame, cohort, logits=True)
    assert read.record["scale"] == "logits"
    assert read.runs[0].probs == pytest.approx(plain.probs, rel=1e-12)
    with pytest.raises(PredictionsError, match=r"values outside 0 to 1.*--logits"):
        read_external("theirs", frame, cohort)
    frame.loc[3, "Mass"] = np.inf
    with pytest.raises(PredictionsError, match="Mass has 1 logits that are not finite, for example inf in row 4"):
        read_external("theirs", frame, cohort, logits=True)


def test_missing_findings_are_listed_with_the_reason_and_never_invented(frame: pd.DataFrame, cohort: Cohort) -> None:
    frame["Nodul"], frame["Edema"] = frame.pop("Nodule"), np.nan
    read = read_external("theirs", frame.drop(columns="No Finding"), cohort)
    assert read.record["not_measured"] == {
        "Nodule": "no column of that name (there is 'Nodul')",
        "No Finding": "no column of that name",
        "Edema": "its column is empty",
    }
    assert read.record["unused_columns"] == ["Nodul"]
    assert read.runs[0].absent == ("Edema", "Nodule", "No Finding")
    assert np.isnan(read.runs[0].probs[:, cohort.label_space.index("No Finding")]).all()


def test_rows_that_are_of_no_image_are_listed_and_those_of_training_counted(
    frame: pd.DataFrame, cohort: Cohort
) -> None:
    strange, train = frame.iloc[[0, 1]].copy(), frame.iloc[[2]].copy()
    strange["image"], train["image"] = ["other_1.png", "other_2.png"], cohort.image_ids[cohort.rows("train")[:1]]
    train["Mass"] = np.nan  # nothing is asked of it
    read = read_external("theirs", pd.concat([strange, frame, train]), cohort)
    assert [(reject.image_id, reject.reason, reject.detail) for reject in read.rejects] == [
        ("other_1.png", "unknown-image", "row 1 of the table"),
        ("other_2.png", "unknown-image", "row 2 of the table"),
    ]
    assert read.record["rejected"] == {"unknown-image": 2}
    assert read.record["training_rows"] == 1
    assert len(read.runs[0]) == len(frame)


def test_a_file_without_validation_rows_lacks_nothing(frame: pd.DataFrame, cohort: Cohort) -> None:
    tested = frame[frame["image"].isin(cohort.image_ids[cohort.rows("test")])]
    read = read_external("theirs", tested, cohort)
    assert read.record["missing"] == {}
    assert not read.runs[0].has("val")


def test_missing_images_are_an_error_or_counted(frame: pd.DataFrame, cohort: Cohort) -> None:
    lost = frame["image"].isin([*cohort.image_ids[cohort.rows("test")[:4]], *cohort.image_ids[cohort.rows("val")[:2]]])
    first = cohort.image_ids[cohort.rows("val")[0]]
    with pytest.raises(PredictionsError, match=rf"2 of the \d+ val and 4 of the \d+ test images, .*{first}"):
        read_external("theirs", frame[~lost], cohort)
    read = read_external("theirs", frame[~lost], cohort, allow_missing=True)
    assert read.record["missing"] == {"val": 2, "test": 4}
    assert np.isnan(read.runs[0].align(cohort, "test")[0][:4]).all()


def test_seeds_come_from_a_column_or_from_files(frame: pd.DataFrame, cohort: Cohort) -> None:
    other = frame.assign(Mass=frame["Mass"] / 2)
    files = read_external("theirs", [frame, other], cohort)
    column = read_external("theirs", pd.concat([frame.assign(seed=7), other.assign(seed=3.0)]), cohort)
    assert list(files.runs) == [0, 1]
    assert list(column.runs) == [3, 7]
    assert column.runs[7].frame.equals(files.runs[0].frame)
    assert column.runs[3].frame.equals(files.runs[1].frame)
    assert column.record["files"][0]["seeds"] == [3, 7]
    assert [result.seed for result in column.results] == [3, 7]
    assert {result.architecture for result in column.results} == {"external"}


def test_a_stated_split_that_agrees_is_taken(mine: Predictions, cohort: Cohort) -> None:
    read = read_external("theirs", mine.frame.replace({"split": {"val": "Validation", "test": ""}}), cohort)
    assert read.runs[0].frame["split"].value_counts().to_dict() == mine.frame["split"].value_counts().to_dict()


def test_the_truth_in_place_of_predictions_and_mere_decisions_are_pointed_out(
    frame: pd.DataFrame, cohort: Cohort
) -> None:
    labels = cohort.table.set_index("image_id").loc[frame["image"]]
    frame["Effusion"], frame["Mass"] = labels["Effusion"].to_numpy(dtype=float), (frame["Mass"] > 0.5).astype(float)
    notes = read_external("theirs", frame, cohort).record["notes"]
    assert notes[0].startswith("Effusion is equal to the data set's labels on every image")
    assert notes[1].startswith("Mass holds 0 and 1 alone")


def at(row: int, column: str, value: object) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.iloc[row, frame.columns.get_loc(column)] = value
        return frame

    return change


WRONG: dict[str, tuple[Change, str]] = {
    "no image column": (lambda f: f.rename(columns={"image": "x"}), r"no column that names the images.*'x'"),
    "no finding": (lambda f: f[["image"]].assign(score=1.0), "no column of a finding of the data set.*Atelectasis"),
    "No Finding alone": (lambda f: f[["image", "No Finding"]], "no column of a finding"),
    "all empty": (lambda f: f[["image"]].assign(Mass=np.nan), "Every column of a finding in .* is empty"),
    "a finding twice": (lambda f: f.assign(Infiltrate=0.1), "Two columns of .* are of Infiltration"),
    "the image column twice": (
        lambda f: f.assign(other=f["image"]).rename(columns={"other": "IMAGE"}),
        "2 columns of .* are called 'image'",
    ),
    "nobody's images": (lambda f: f.assign(image="x"), "None of the .* images of .* is in the data set: it says 'x'"),
    "no name": (at(4, "image", ""), "There is no image in .* 5 of|There is no image in line 6"),
    "an image twice": (lambda f: pd.concat([f, f.iloc[[3]]]), "1 images stand in .* more than once, for example"),
    "an image twice, once by its stem": (
        lambda f: pd.concat([f, f.iloc[[3]].assign(image=lambda g: g["image"].str.removesuffix(".png"))]),
        "more than once",
    ),
    "not a number": (at(2, "Mass", "high"), "Mass is 'high' in .*, which is no number"),
    "a comma": (at(2, "Mass", "0,5"), "Write decimals with a point"),
    "a value missing": (at(2, "Mass", None), "Mass has no value in 1 rows that are to be measured, the first in"),
    "above one": (at(2, "Mass", 1.25), "Mass has 1 values outside 0 to 1, for example 1.25 in .*--logits"),
    "below zero": (at(2, "Mass", -0.5), "Mass has 1 values outside 0 to 1, for example -0.5"),
    "infinite": (at(2, "Mass", "inf"), "Mass has 1 values outside 0 to 1, for example inf"),
    "no such split": (lambda f: f.assign(split="holdout"), "The split is 'holdout' in .*; there are train, val"),
    "learnt from": (lambda f: f.assign(split="train"), "stand on another side of the split.*What a tool learnt from"),
    "half a seed": (lambda f: f.assign(seed=0.5), r"The seed is '0.5' in .*; it is a whole number"),
    "no seed": (lambda f: f.assign(seed=""), "The seed is '' in"),
}  # fmt: skip


@pytest.mark.parametrize("in_file", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_meant_is_an_error_that_says_where(
    wrong: str, in_file: bool, frame: pd.DataFrame, cohort: Cohort, tmp_path: Path
) -> None:
    change, words = WRONG[wrong]
    changed = change(frame)
    source = written(changed, tmp_path / "theirs.csv") if in_file else changed.reset_index(drop=True)
    with pytest.raises(PredictionsError, match=f"(?s){words}"):
        read_external("theirs", source, cohort)


def test_files_that_are_no_table_are_errors(frame: pd.DataFrame, cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="There is no file"):
        read_external("theirs", tmp_path / "lost.csv", cohort)
    with pytest.raises(PredictionsError, match="no file of predictions for 'theirs'"):
        read_external("theirs", [], cohort)
    with pytest.raises(PredictionsError, match="the table has no rows"):
        read_external("theirs", frame.iloc[:0], cohort)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not quite")
    with pytest.raises(PredictionsError, match="no readable parquet file"):
        read_external("theirs", tmp_path / "a.parquet", cohort)
    (tmp_path / "a.csv").write_bytes(b"\0\1\2")
    with pytest.raises(DataError, match="zero bytes"):
        read_external("theirs", tmp_path / "a.csv", cohort)
    path = written(frame, tmp_path / "cut.csv")
    path.write_text(path.read_text()[:-60])
    with pytest.raises(PredictionsError, match=r"1 lines of .* do not have as many cells"):
        read_external("theirs", path, cohort)


def test_seeds_that_cannot_be_averaged_are_errors(frame: pd.DataFrame, cohort: Cohort) -> None:
    with pytest.raises(PredictionsError, match="different images or findings"):
        read_external("theirs", [frame, frame.drop(columns="Mass")], cohort)
    with pytest.raises(PredictionsError, match="different images or findings"):
        read_external("theirs", [frame, frame.iloc[1:]], cohort, allow_missing=True)
    with pytest.raises(PredictionsError, match="Seed 1 of 'theirs' stands twice"):
        read_external("theirs", [frame.assign(seed=1), frame.assign(seed=1)], cohort)
    no_test = frame[frame["image"].isin(cohort.image_ids[cohort.rows("val")])]
    with pytest.raises(PredictionsError, match="none of the data set's test images"):
        read_external("theirs", no_test, cohort, allow_missing=True)


def test_names_that_several_images_could_mean_are_listed(make_predictions: Callable[..., Predictions]) -> None:
    """As in CheXpert's tables, where the last part of a path repeats: the bare name is nobody's."""
    from chestxpert.cohort.table import make_table
    from chestxpert.labels import LabelSpace

    space = LabelSpace("two", ("Mass", "No Finding"))
    ids = ["a/p1/x.png", "a/p2/x.png", "a/p2/x.jpg"]
    labels = np.array([[True, False], [False, True], [True, False]])
    cohort = Cohort(make_table(ids, ["1", "2", "2"], labels, space, split="test", source="mine"), space)
    rows = pd.DataFrame({"path": ["other/p1/x.png", "p2/x", "x.png", *ids[1:]], "Mass": 0.5})
    read = read_external("theirs", rows, cohort)
    assert [(reject.image_id, reject.reason) for reject in read.rejects] == [
        ("p2/x", "ambiguous-image"), ("x.png", "unknown-image"),
    ]  # fmt: skip
    assert sorted(read.runs[0].frame["image_id"]) == sorted(ids)
