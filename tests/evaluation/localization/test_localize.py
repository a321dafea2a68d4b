"""From folders to localization.json, on simulated and on real boxes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import DataError, RunError, UsageError
from chestxpert.evaluation.localization import localize, write_maps
from chestxpert.evaluation.localization.cases import Cases
from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.evaluation.localization.measure import BASELINES, COLUMNS, resized
from chestxpert.evaluation.localization.text import localization_table


def cases_of(folder: Path, side: str = "all") -> Cases:
    return Cases.of(Dataset.load(folder), side, "stored")


def truth_maps(folder: Path, out: Path, side: int, **keywords: Any) -> Path:
    """A map of each case that is 1 in the cells that lie wholly in its boxes."""
    cases = cases_of(folder).every
    maps = (coverage(case.boxes, side, side) > 1 - 1e-9 for case in cases)
    ids, findings = [case.image_id for case in cases], [case.finding for case in cases]
    told = {"method": "the boxes themselves", "made_by": "a test", "dtype": "uint8"} | keywords
    return write_maps(out, maps, ids, findings, **told)


@pytest.fixture(scope="module")
def truth(drawn_boxes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return truth_maps(drawn_boxes, tmp_path_factory.mktemp("maps") / "truth", side=128)


@pytest.fixture(scope="module")
def result(drawn_boxes: Path, truth: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return localize([truth], drawn_boxes, tmp_path_factory.mktemp("out") / "where", draws=200)


def test_what_was_drawn_is_found(result: dict[str, Any]) -> None:
    table = pd.read_parquet(Path(result["folder"]) / "cases.parquet")
    own = table[table["line"] == "truth"]
    assert (own["pointing"] == 1).all()
    np.testing.assert_allclose(own["energy"], 1)
    alone = own[own["boxes"] == 1]
    assert len(alone) > 20
    assert (alone["detected"] == 1).all()
    assert (alone["iou"] > 0.5).all()
    assert (alone["iobb"] > 1 - 1e-9).all()
    assert result["macro"]["truth"]["pointing"]["mean"] == 1


def test_counts_are_those_of_the_data_set(drawn_boxes: Path, result: dict[str, Any]) -> None:
    boxes = pd.read_parquet(drawn_boxes / "boxes.parquet")
    cohort = pd.read_parquet(drawn_boxes / "cohort.parquet").set_index("image_id")
    split = cohort["split"].reindex(boxes["image_id"]).to_numpy()
    assert result["boxes"]["boxes"] == len(boxes)
    assert result["boxes"]["by_split"] == pd.Series(split).value_counts().to_dict()
    assert result["boxes"]["measured"] == (split == "test").sum()
    test = boxes[split == "test"]
    assert result["boxes"]["cases"] == len(test.drop_duplicates(["image_id", "finding"]))
    assert result["boxes"]["cases"] < result["boxes"]["measured"], "some images have several boxes of one finding"
    assert {name: entry["cases"] for name, entry in result["findings"].items()} == (
        test.drop_duplicates(["image_id", "finding"])["finding"].value_counts().to_dict()
    )
    assert result["maps"]["truth"]["other"] == len(cases_of(drawn_boxes).every) - result["boxes"]["cases"]


def test_every_figure_is_a_mean_of_the_stored_cases(result: dict[str, Any]) -> None:
    table = pd.read_parquet(Path(result["folder"]) / "cases.parquet")
    assert set(table["line"]) == {"truth", *BASELINES}
    means = table.groupby(["line", "finding"])[list(COLUMNS)].mean()
    for finding, entry in result["findings"].items():
        for line, measures in entry["lines"].items():
            found = [measures[name]["mean"] for name in COLUMNS]
            expected = means.loc[(line, finding)]
            np.testing.assert_allclose(np.array(found, dtype=float), expected, atol=1e-12)
    assert result["macro_findings"] == [name for name, entry in result["findings"].items() if entry["patients"] >= 10]
    assert result["macro_findings"]
    assert len(result["macro_findings"]) < len(result["findings"])
    over = means[means.index.isin(result["macro_findings"], level="finding")].groupby("line").mean()
    for line, measures in result["macro"].items():
        found = np.array([measures[name]["mean"] for name in COLUMNS], dtype=float)
        np.testing.assert_allclose(found, over.loc[line], atol=1e-12)


def test_the_file_says_what_is_returned(result: dict[str, Any]) -> None:
    stored = json.loads((Path(result["folder"]) / "localization.json").read_text())
    assert stored == {key: value for key, value in result.items() if key != "folder"}
    assert stored["data"]["simulated"] is True
    assert stored["sentences"][0].startswith("On simulated images, truth points into the boxes more often")
    assert stored["sweep"]["truth"]["share=0.5"]["iou"][5] == stored["macro"]["truth"]["iou@0.5"]["mean"]


def test_the_table_for_a_terminal(result: dict[str, Any]) -> None:
    text = localization_table(result)
    assert "measured are those of 'test'" in text
    assert "usual place" in text
    assert result["sentences"][0] in text
    assert f"truth: {result['maps']['truth']['other']} maps are of no measured box" in text


def test_the_same_arguments_give_the_same_bytes(drawn_boxes: Path, truth: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        localize([truth], drawn_boxes, tmp_path / name, draws=20)
    for file in ("localization.json", "cases.parquet"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_lines_are_compared_on_the_cases_that_both_have(drawn_boxes: Path, truth: Path, tmp_path: Path) -> None:
    """Missing maps and maps that are not finite are listed, and left out of every line."""
    cases = cases_of(drawn_boxes, "test").measured
    rng = np.random.default_rng(1)
    maps = [ndimage.gaussian_filter(rng.normal(size=(24, 24)), 2) for _ in cases[2:]]
    maps[0][3, 3] = np.nan
    maps[1][0, 0] = np.inf
    ids, findings = [case.image_id for case in cases[2:]], [case.finding for case in cases[2:]]
    findings[-1] = "Dragon"
    noise = write_maps(tmp_path / "noise", maps, ids, findings, method="noise", made_by="a test")
    found = localize([noise, truth], drawn_boxes, tmp_path / "out", draws=50)
    told = found["maps"]["noise"]
    assert told["missing"] == [[*case.key] for case in (*cases[:2], cases[-1])]
    assert told["not_finite"] == [[*case.key] for case in cases[2:4]]
    assert told["unknown_findings"] == ["Dragon"]
    assert told["usable"] == found["boxes"]["compared"] == len(cases) - 5
    assert sum(entry["cases"] for entry in found["findings"].values()) == len(cases) - 5
    table = pd.read_parquet(tmp_path / "out" / "cases.parquet")
    assert table.groupby("line").size().to_dict() == dict.fromkeys(["noise", "truth", *BASELINES], len(cases) - 5)
    pair = next(e for e in found["contrasts"] if e["kind"] == "pair" and e["measure"] == "pointing")
    assert (pair["a"], pair["b"]) == ("noise", "truth")
    assert pair["difference"] < 0
    assert pair["high"] < 0
    text = localization_table(found)
    assert "noise: no map of 3; values that are not finite in 2" in text
    assert "unknown findings: Dragon" in text


def test_aliases_are_understood_and_maps_without_mass_counted(drawn_boxes: Path, tmp_path: Path) -> None:
    cases = [case for case in cases_of(drawn_boxes, "test").measured if case.finding == "Infiltration"]
    maps = [np.full((4, 4), -1.0) for _ in cases]
    ids = [case.image_id for case in cases]
    folder = write_maps(tmp_path / "empty", maps, ids, ["Infiltrate"] * len(cases), method="none", made_by="a test")
    found = localize([folder], drawn_boxes, tmp_path / "out", draws=50)
    assert list(found["findings"]) == ["Infiltration"]
    lines = found["findings"]["Infiltration"]["lines"]
    assert lines["empty"]["energy"] == {
        "mean": None,
        "low": None,
        "high": None,
        "n_draws": 0,
        "n_undefined": len(cases),
    }
    assert lines["empty"]["pointing"]["mean"] == pytest.approx(lines["chance"]["pointing"]["mean"], abs=0.05)
    assert lines["empty"]["detected"]["mean"] == 0


def test_two_maps_of_one_finding_by_two_names_are_an_error(drawn_boxes: Path, tmp_path: Path) -> None:
    case = next(case for case in cases_of(drawn_boxes).every if case.finding == "Infiltration")
    names = ["Infiltrate", "Infiltration"]
    maps = write_maps(
        tmp_path / "twice", np.zeros((2, 4, 4)), [case.image_id] * 2, names, method="none", made_by="a test"
    )
    with pytest.raises(DataError, match=f"twice has two maps of Infiltration on {case.image_id}"):
        localize([maps], drawn_boxes, tmp_path / "out", split="all", draws=20)


def test_without_ten_patients_of_any_finding_nothing_is_claimed(drawn_boxes: Path, tmp_path: Path) -> None:
    cases = cases_of(drawn_boxes, "test").measured[:3]
    ids, findings = [case.image_id for case in cases], [case.finding for case in cases]
    few = write_maps(tmp_path / "few", [np.eye(4)] * 3, ids, findings, method="few", made_by="a test")
    found = localize([few], drawn_boxes, tmp_path / "out", draws=20)
    assert found["macro_findings"] == []
    assert found["macro"]["few"]["pointing"]["mean"] is None
    assert "too few patients" in found["sentences"][0]
    assert "mean of 0" in localization_table(found)


def test_other_splits_are_measured_when_asked_for(drawn_boxes: Path, tmp_path: Path) -> None:
    """A map for all of each side; only a few of each, so that it is quick."""
    every = cases_of(drawn_boxes).every
    few = [case for side in ("train", "val", "test") for case in [c for c in every if c.split == side][:4]]
    ids, findings = [case.image_id for case in few], [case.finding for case in few]
    maps = write_maps(tmp_path / "few", [np.eye(4)] * 12, ids, findings, method="few", made_by="a test")
    for split, number in (("val", 4), ("all", 12)):
        found = localize([maps], drawn_boxes, tmp_path / split, split=split, draws=5)
        assert found["boxes"]["compared"] == number
        assert found["boxes"]["cases"] == len([c for c in every if split in ("all", c.split)])
        table = pd.read_parquet(tmp_path / split / "cases.parquet")
        assert ("images of training patients" in localization_table(found)) == (split == "all")
        assert set(table["split"]) == ({"train", "val", "test"} if split == "all" else {"val"})


def test_the_default_folder_lies_beside_the_maps(drawn_boxes: Path, truth: Path, tmp_path: Path) -> None:
    maps = Path(shutil.copytree(truth, tmp_path / "ours"))
    assert localize([maps], drawn_boxes, draws=5)["folder"] == str(tmp_path / "localization-ours")
    with pytest.raises(RunError, match="never overwritten"):
        localize([maps], drawn_boxes, draws=5)


def test_what_cannot_be_asked_for(drawn_boxes: Path, truth: Path, tmp_path: Path) -> None:
    def ask(places: list[Path] | None = None, **keywords: Any) -> None:
        localize([truth] if places is None else places, drawn_boxes, tmp_path / "out", **keywords)

    for keywords in ({"tolerance": -1}, {"tolerance": float("nan")}, {"side": 1}, {"draws": 0}, {"seed": -1}):
        with pytest.raises(UsageError, match="Localization takes"):
            ask(**keywords)
    with pytest.raises(UsageError, match="got 'train'"):
        ask(split="train")
    with pytest.raises(UsageError, match="1 to 4 folders"):
        ask([])
    with pytest.raises(UsageError, match="known by their names"):
        ask([truth, truth])
    other = truth_maps(drawn_boxes, tmp_path / "original", side=8, covers="original")
    with pytest.raises(UsageError, match="truth the stored image, original the original image"):
        ask([truth, other])
    strange = write_maps(tmp_path / "strange", [np.eye(3)], ["x.png"], ["Mass"], method="", made_by="")
    with pytest.raises(DataError, match=r"strange has 0 of \d+"):
        ask([strange])
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_boxes(drawn_boxes: Path, truth: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(drawn_boxes, tmp_path / "data"))
    pd.read_parquet(data / "boxes.parquet").iloc[:0].to_parquet(data / "boxes.parquet")
    with pytest.raises(DataError, match=r"has 0 boxes.*BBox_List_2017"):
        localize([truth], data, tmp_path / "out")


def test_resizing_keeps_places() -> None:
    heat = np.zeros((7, 5))
    heat[2, 3] = 1
    grown = resized(heat, 35)
    assert grown.shape == (35, 35)
    rows, columns = np.nonzero(grown == grown.max())
    assert abs((rows + 0.5).mean() / 35 - 2.5 / 7) < 1e-6
    assert abs((columns + 0.5).mean() / 35 - 3.5 / 5) < 1e-6
    assert resized(heat, None) is heat
    np.testing.assert_allclose(resized(np.full((3, 3), 2.0), 11), 2.0)


@pytest.mark.shared_data
def test_real_boxes(nih_sample: Path, tmp_path: Path) -> None:
    """Sixty real radiographs with boxes: the boxes' own maps find them, the middle of the image finds hearts alone."""
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    listed = set((nih_sample / "test_list.txt").read_text().split())
    boxes = pd.read_csv(nih_sample / "BBox_List_2017.csv").iloc[:, :2]
    names = [name for name in dict.fromkeys(boxes.iloc[:, 0]) if name in listed][:60]
    names += sorted(set((nih_sample / "train_val_list.txt").read_text().split()))[:20]
    for name in names:
        shutil.copy(nih_sample / "images" / name, source / "images" / name)
    for name in ("BBox_List_2017.csv", "Data_Entry_2017_v2020.csv", "test_list.txt", "train_val_list.txt"):
        shutil.copy(nih_sample / name, source / name)
    prepare(source, tmp_path / "data", size=64, workers=1)
    maps = truth_maps(tmp_path / "data", tmp_path / "truth", side=256)
    found = localize([maps], tmp_path / "data", tmp_path / "out", draws=50)
    table = pd.read_parquet(tmp_path / "out" / "cases.parquet")
    own = table[table["line"] == "truth"]
    assert found["boxes"]["unlabelled"] == found["boxes"]["outside"] == 0
    assert len(own) >= 60
    assert (own["pointing"] == 1).all()
    assert (own["iou"] > 0.7).all()
    np.testing.assert_allclose(own["energy"], 1)
    raw = (
        pd.read_csv(nih_sample / "BBox_List_2017.csv")
        .iloc[:, :6]
        .set_axis(["image_id", "finding", "x", "y", "w", "h"], axis=1)
    )
    raw["finding"] = raw["finding"].replace("Infiltrate", "Infiltration")
    chance = table[table["line"] == "chance"].merge(raw, on=["image_id", "finding"])
    np.testing.assert_allclose(chance["pointing"], chance["w"] * chance["h"] / 1024**2)
