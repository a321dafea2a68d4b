"""Other tools' predictions on disk: a study of their own, or beside the recipes of one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from chestxpert.cohort.rejects import read_rejects
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import PredictionsError, RunError, UsageError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import parse_posthoc
from chestxpert.report import build_report, summary_text
from chestxpert.report.cards import build_model_card
from chestxpert.study.external import named_files
from chestxpert.study.external_study import add_to_study, evaluate_on_data
from chestxpert.study.join import ensemble_study
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import run_study
from chestxpert.study.stored import stored_comparison, write_comparison

TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32", "views=1"]


@pytest.fixture(scope="module")
def dataset_folder(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("external") / "dataset"
    prepare(tiny_nih, folder, size=32, workers=1)
    return folder


@pytest.fixture(scope="module")
def plan(dataset_folder: Path) -> StudyPlan:
    recipes = load_recipes(["flat-basic", "hierarchical-shared"], TINY, freeze=True)
    return StudyPlan(dataset_folder, recipes, (0,))


@pytest.fixture(scope="module")
def finished(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study without any other tool; read only."""
    out = tmp_path_factory.mktemp("finished") / "study"
    run_study(plan, out, draws=20)
    return out


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


@pytest.fixture(scope="module")
def files(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The flat run's own predictions; and another's without validation rows and No Finding, with a stranger's row."""
    folder = tmp_path_factory.mktemp("files")
    frame = Predictions.load(finished / "runs" / "flat-basic" / "seed-0" / "predictions.parquet").frame
    frame.to_csv(folder / "same.csv", index=False, float_format="%.17g")
    tested = frame[frame["split"] == "test"].drop(columns=["split", "No Finding"])
    strange = tested.iloc[[0]].assign(image_id="99999999_000.png")
    pd.concat([strange, tested]).to_csv(folder / "tested.csv", index=False)
    return {name: str(folder / f"{name}.csv") for name in ("same", "tested")}


def test_a_study_of_other_tools_can_be_drawn_again(
    files: dict[str, str], finished: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "theirs"
    given = [f"mine={files['same']}", files["tested"]]
    made = evaluate_on_data(given, dataset_folder, out, draws=20, margin=0.02, command="chestxpert evaluate --out x")
    assert made == json.loads((out / "comparison.json").read_text())
    assert made["baseline"] == "mine"
    assert made["margin"] == 0.02
    run = json.loads((finished / "comparison.json").read_text())["recipes"]["flat-basic"]
    assert made["recipes"]["mine"]["metrics"] == run["metrics"]
    assert made["recipes"]["mine"]["per_label"] == run["per_label"]
    assert write_comparison(out, draws=20) == made
    assert write_comparison(out, draws=20, threshold="youden")["operating"]["rule"] == "youden"
    assert {path.name for path in (out / "external" / "mine").iterdir()} == {"external.yaml", "predictions.parquet"}
    assert [reject.image_id for reject in read_rejects(out / "external" / "tested" / "rejects.csv")] == [
        "99999999_000.png"
    ]
    assert stored_comparison(out)["verdict"] == made["verdict"]
    page = build_report(out).read_text(encoding="utf-8")
    about = yaml.safe_load((out / "external" / "tested" / "external.yaml").read_text())
    assert about["files"][0]["sha256"] in page
    assert about["added"] in page
    for words in ("What other tools predicted", "Left out: 1 row of images that are not in the data set",
                  "Those of tested are 0.5, for want of validation rows"):  # fmt: skip
        assert words in page, words
    for absent in ('id="fig-costs"', 'id="fig-learning"', '<section id="recipes"', "AdamW", "--resume"):
        assert absent not in page, absent
    text = summary_text(made)
    assert "Not measured: No Finding (no column of that name)" in " ".join(text.split())
    with pytest.raises(UsageError, match="no recipes, and corrections are not applied"):
        write_comparison(out, draws=20, posthoc=parse_posthoc("platt"))
    with pytest.raises(UsageError, match="at least two members, but there is none that was trained"):
        ensemble_study(out)
    with pytest.raises(UsageError, match="predictions of other tools alone"):
        build_model_card(out)
    with pytest.raises(RunError, match=r"Choose another --out\.$"):
        evaluate_on_data(given, dataset_folder, out, draws=20)


def test_seeds_of_one_name_are_files_of_their_own(files: dict[str, str], dataset_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "theirs"
    made = evaluate_on_data([f"a={files['same']}", f"a={files['same']}"], dataset_folder, out, draws=20)
    assert made["recipes"]["a"]["seeds"] == [0, 1]
    assert made["recipes"]["a"]["metrics"]["macro_ap"]["sd_seeds"] == 0
    assert {path.name for path in (out / "external" / "a").iterdir()} == {
        "external.yaml", "predictions-seed-0.parquet", "predictions-seed-1.parquet",
    }  # fmt: skip


def test_they_join_a_study_and_leave_its_recipes_as_they_are(
    files: dict[str, str], copied: Path, plan: StudyPlan
) -> None:
    before = json.loads((copied / "comparison.json").read_text())
    added = add_to_study([f"theirs={files['tested']}"], copied, draws=20)
    assert list(added["recipes"]) == ["flat-basic", "hierarchical-shared", "theirs"]
    for key in ("best", "baseline", "verdict", "diagnosis"):
        assert added[key] == before[key]
    for name in before["recipes"]:
        assert added["recipes"][name] == before["recipes"][name]
    assert {(c["a"], c["b"]) for c in added["contrasts"] if c["kind"] == "external"} == {("theirs", "flat-basic")}
    with pytest.raises(UsageError, match="'theirs' was made by another tool"):
        build_model_card(copied, recipe="theirs")
    # report, and compare --resume, keep them; and they are not corrected.
    assert write_comparison(copied, draws=20) == added
    assert run_study(plan, copied, resume=True, draws=20) == added
    corrected = write_comparison(copied, draws=20, posthoc=parse_posthoc("platt"))
    assert "flat-basic+platt" in corrected["recipes"]
    assert "theirs+platt" not in corrected["recipes"]
    page = build_report(copied).read_text(encoding="utf-8")
    assert f"chestxpert evaluate --predictions=theirs=tested.csv --study {copied}" in page
    assert "made by other tools and read from tables" in page
    assert "The study has 2 recipes" in page
    costs = page[page.index('id="fig-costs"') : page.index('<section id="recipes"')]
    assert "flat-basic" in costs
    assert "theirs" not in costs
    for anchor in ("fig-recipes", "fig-contrasts", "fig-findings", "fig-groups", "fig-levels", "fig-pr", "fig-roc"):
        figure = page[page.index(f'id="{anchor}"') :]
        assert "theirs" in figure[: figure.index("</figure>")], anchor


def test_names_are_nobody_elses(files: dict[str, str], copied: Path) -> None:
    with pytest.raises(UsageError, match="has a recipe or ensemble called 'flat-basic'"):
        add_to_study([f"flat-basic={files['tested']}"], copied)
    add_to_study([files["tested"]], copied, draws=20)
    with pytest.raises(RunError, match="has predictions called 'tested' already, and they are never overwritten"):
        add_to_study([files["tested"]], copied)
    with pytest.raises(UsageError, match="no recipe's or other tool's; got 'tested'"):
        ensemble_study(copied, name="tested")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["a/x.csv", "b/x.csv"], "Two files are called 'x'"),
        (["a/x.csv", "x=b.csv"], "Two files are called 'x'"),
        (["x=b.csv", "a/x.csv"], "Two files are called 'x'"),
        (["my file.csv"], "letters, digits.*but got 'my file'"),
        (["a b=c.csv"], "but got 'a b'"),
        (["=c.csv"], "but got ''"),
        (["a="], "NAME=FILE"),
        ([".hidden=c.csv"], "but got '.hidden'"),
        (["a+platt=c.csv"], "but got 'a\\+platt'"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_meant_are_wrong_use(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        named_files(texts)


def test_names_and_files() -> None:
    assert named_files(["a=x.csv", "y/b.c.parquet", "a=dir/z=1.csv", "dir=1/c.csv"]) == {
        "a": [Path("x.csv"), Path("dir/z=1.csv")], "b": [Path("y/b.c.parquet")], "dir": [Path("1/c.csv")],
    }  # fmt: skip


def test_an_error_leaves_nothing_behind(
    files: dict[str, str], dataset_folder: Path, copied: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("image,Mass\nnobody.png,0.5\n")
    out = tmp_path / "out"
    for call in (
        lambda: evaluate_on_data([files["same"], str(wrong)], dataset_folder, out),
        lambda: add_to_study([files["tested"], str(wrong)], copied),
    ):
        with pytest.raises(PredictionsError, match="None of the 1 images"):
            call()
    with pytest.raises(UsageError, match="threshold rule"):
        evaluate_on_data([files["same"]], dataset_folder, out, threshold="best")
    assert not out.exists()
    assert not (copied / "external").exists()
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with pytest.raises(RunError, match="never overwritten"):
        evaluate_on_data([files["same"]], dataset_folder, out)


def test_a_comparison_that_fails_leaves_no_trace(
    files: dict[str, str], dataset_folder: Path, copied: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(files["same"])
    for name, finding in (("one", "Mass"), ("other", "Nodule")):
        frame[["image_id", "split", finding]].to_csv(tmp_path / f"{name}.csv", index=False)
    apart, out = [str(tmp_path / "one.csv"), str(tmp_path / "other.csv")], tmp_path / "out"
    with pytest.raises(PredictionsError, match=r"'other' and 'one' share no test image and label.*apart"):
        evaluate_on_data(apart, dataset_folder, out, draws=20)
    assert not out.exists()
    before = (copied / "comparison.json").read_bytes()
    with pytest.raises(PredictionsError, match="margin of equivalence"):
        add_to_study([files["tested"]], copied, draws=20, margin=2.0)
    assert not (copied / "external").exists()
    assert (copied / "comparison.json").read_bytes() == before
    add_to_study([files["tested"]], copied, draws=20)
    with pytest.raises(PredictionsError, match="margin of equivalence"):
        add_to_study([files["same"]], copied, draws=20, margin=2.0)
    assert [path.name for path in (copied / "external").iterdir()] == ["tested"]


def test_a_damaged_folder_is_named(files: dict[str, str], copied: Path, dataset_folder: Path, tmp_path: Path) -> None:
    add_to_study([files["tested"]], copied, draws=20)
    about = copied / "external" / "tested" / "external.yaml"
    text = about.read_text()
    about.write_text(text.replace(Dataset.load(dataset_folder).cohort.fingerprint, "0"))
    with pytest.raises(RunError, match="was read for cohort 0, but the study has"):
        write_comparison(copied, draws=20)
    about.write_text("[")
    with pytest.raises(RunError, match="cannot be read"):
        write_comparison(copied, draws=20)
    about.unlink()  # as if adding it had been interrupted: it is not there, and can be added again
    with pytest.raises(RunError, match=r"called tested, but the study none\. Leave --redraw out"):
        stored_comparison(copied)
    assert "tested" not in write_comparison(copied, draws=20)["recipes"]
    assert "tested" in add_to_study([files["tested"]], copied, draws=20)["recipes"]
    about.unlink()
    with pytest.raises(RunError, match=r"predictions of tested are not in .* any more"):
        build_report(copied)
    evaluate_on_data([files["same"]], dataset_folder, tmp_path / "own", draws=20)
    shutil.rmtree(tmp_path / "own" / "external")
    with pytest.raises(RunError, match="The predictions of same are not in"):
        write_comparison(tmp_path / "own", draws=20)
