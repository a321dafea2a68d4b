"""The study of the tail at toy size, interrupted and gone on with, and its parts one by one."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.errors import UsageError
from chestxpert.evaluation.bootstrap import interval, two_sided_p
from chestxpert.labels import NIH15
from chestxpert.report.results import Results
from chestxpert.taxonomy import taxonomy

TOY = [
    "--exponents", "0.5", "1.5", "--recipes", "flat-basic", "flat-weighted", "--seeds", "1", "--images", "120",
    "--test-images", "60", "--size", "32", "--views", "1", "--draws", "20", "--workers", "1", "--set",
    "backbone=test_resnet", "--set", "weights=none", "--set", "epochs=1", "--set", "precision=float32",
]  # fmt: skip
SETS = {"mild": 0, "long": 1, "few": 2, "noisy": 3}


@pytest.fixture(scope="module")
def tail(experiment: Any) -> ModuleType:
    return experiment("tail")


@pytest.fixture(scope="module")
def done(tail: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interrupted in the second of four training sets, then repeated."""
    out = tmp_path_factory.mktemp("tail") / "study"
    run, calls = tail.run_study, []

    def interrupted(plan: Any, folder: Path, **options: Any) -> Any:
        calls.append(folder)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(plan, folder, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "run_study", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tail.main(["--out", str(out), *TOY])
    assert not (out / "tail.md").exists()
    before = stored(out)
    assert len(before) == 4  # of the first training set
    tail.main(["--out", str(out), *TOY])
    assert before.items() <= stored(out).items()
    return out


@pytest.fixture(scope="module")
def cohorts(done: Path) -> dict[str, Cohort]:
    return {
        name: Cohort.load(done / "sets" / str(number) / "study" / "cohort.parquet") for name, number in SETS.items()
    }


def stored(out: Path) -> dict[Path, int]:
    """When each run's predictions were written."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("predictions.parquet")}


def test_every_recipe_was_trained_on_every_set(done: Path) -> None:
    recipes = {
        number: sorted(p.name for p in (done / "sets" / str(number) / "study" / "runs").iterdir())
        for number in range(4)
    }
    trees = ["tree-crossed", "tree-matched"]
    assert recipes[0] == recipes[1] == ["flat-basic", "flat-weighted", *trees]
    assert recipes[2] == recipes[3] == ["flat-basic", *trees]
    assert len(stored(done)) == 14
    assert not list((done / "sets").glob("*/sources/*"))


def test_the_page_has_a_row_a_recipe_and_says_what_is_not_shown(done: Path) -> None:
    page = (done / "tail.md").read_text(encoding="utf-8")
    for group in ("tail", "medium", "head"):
        table = page.split(f"## Macro average precision of {group} findings")[1].split("##")[0]
        assert [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")][2:] == [
            "| flat-basic", "| flat-weighted", "| tree-matched", "| tree-crossed",
        ]  # fmt: skip
    assert "(Fibrosis, Hernia, Pneumonia)" in page
    assert "t=1.5, 25 % of images" in page
    assert "t=1.5, 20 % of labels wrong" in page
    assert "no radiographs" in page


def test_all_sets_share_their_test_images_and_no_patient_is_on_two_sides(cohorts: dict[str, Cohort]) -> None:
    first = cohorts["mild"]
    test = first.rows("test")
    assert len(test) == 60
    for cohort in cohorts.values():
        rows = cohort.rows("test")
        assert cohort.image_ids[rows].tolist() == first.image_ids[test].tolist()
        np.testing.assert_array_equal(cohort.labels(rows), first.labels(test))
        assert not set(cohort.patients[rows]) & set(cohort.patients[cohort.rows("train")])
        assert cohort.simulated


def test_a_part_is_of_the_same_patients_and_noise_moves_labels_of_training_alone(cohorts: dict[str, Cohort]) -> None:
    learnt = {name: np.concatenate([cohort.rows("train"), cohort.rows("val")]) for name, cohort in cohorts.items()}
    whole, few, noisy = (cohorts[name] for name in ("long", "few", "noisy"))
    names = {name: set(cohort.image_ids[learnt[name]]) for name, cohort in cohorts.items()}
    assert names["few"] < names["long"] == names["noisy"]
    assert 30 <= len(names["few"]) <= 34  # a quarter of 120, up to a patient's last image
    assert len(names["long"]) == 120

    def labels(cohort: Cohort, rows: np.ndarray) -> dict[str, tuple[bool, ...]]:
        return dict(zip(cohort.image_ids[rows], map(tuple, cohort.labels(rows)), strict=True))

    truth, wrong, part = labels(whole, learnt["long"]), labels(noisy, learnt["noisy"]), labels(few, learnt["few"])
    assert part.items() <= truth.items()
    assert truth != wrong


def test_repeated_it_trains_nothing_and_tells_the_same(
    tail: ModuleType, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, page = stored(done), (done / "tail.md").read_text(encoding="utf-8")
    tail.main(["--out", str(done), *TOY])
    assert stored(done) == before
    assert capsys.readouterr().out.split("## ")[1:] == (page + "\n").split("## ")[1:]


def test_other_arguments_are_refused(tail: ModuleType, done: Path) -> None:
    with pytest.raises(UsageError, match="begun with other arguments"):
        tail.main(["--out", str(done), *TOY, "--difficulty", "0.9"])


def test_the_table_of_a_study_has_its_figures(experiment: Any, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = json.loads((done / "sets" / "0" / "study" / "comparison.json").read_text(encoding="utf-8"))
    module = experiment("results_table")
    header, _, *rows = module.results_table(Results(comparison)).splitlines()
    assert header.startswith(
        "| recipe | AUROC | AP | F1 | AP head | AP medium | AP tail | AP of all labels, minus flat-basic | p |"
    )
    cells = {row.split(" | ")[0].removeprefix("| "): row.strip("| ").split(" | ") for row in rows}
    assert list(cells) == list(comparison["recipes"])
    for name, row in cells.items():
        metrics = comparison["recipes"][name]["metrics"]
        assert row[2].startswith(f"{metrics['macro_ap_findings']['mean']:.3f} [")
        assert row[6] == "-" if metrics["macro_ap_tail"]["mean"] is None else row[6].startswith("0.")
    assert cells["flat-basic"][-2:] == ["-", "-"]
    by_pair = {(c["a"], c["b"]): c for c in comparison["contrasts"] if c["metric"] == "macro_ap"}
    for name in ("flat-weighted", "tree-matched", "tree-crossed"):
        contrast = by_pair.get((name, "flat-basic"))
        assert contrast is not None
        assert f"{abs(contrast['difference']):.3f}" in cells[name][-2]
    module.main([str(done / "sets" / "0" / "study")])
    printed = capsys.readouterr().out
    assert printed.startswith("Simulated images, no radiographs. Images: ")
    assert header in printed
    with pytest.raises(SystemExit, match="1"):
        module.main([str(done)])
    assert "holds no comparison" in capsys.readouterr().err


def test_the_trees_are_of_one_shape_and_cover_all_findings(done: Path) -> None:
    matched, crossed = (taxonomy(str(done / "trees" / f"{name}.yaml"), NIH15) for name in ("matched", "crossed"))
    for tree in (matched, crossed):
        assert sorted(len(decision.children) for decision in tree.decisions) == [1, 2, 3, 3, 3, 3, 5]
    assert {d.children for d in matched.decisions} != {d.children for d in crossed.decisions}


def test_cosines_are_between_what_findings_do_to_features(experiment: Any) -> None:
    """Mass and Nodule push along one line, Edema at right angles, Hernia the other way; AP views push too."""
    module = experiment("tail_trees")
    rng = np.random.default_rng(0)
    labels = rng.random((400, 15)) < 0.3
    labels[:, NIH15.index("Pneumonia")] = False
    labels[:, 14] = False
    table = pd.DataFrame({"view": np.where(rng.random(400) < 0.5, "AP", "PA")})
    push = np.zeros((15, 4))
    push[NIH15.index("Mass"), 0], push[NIH15.index("Nodule"), 0], push[NIH15.index("Hernia"), 0] = 2, 5, -1
    push[NIH15.index("Edema"), 1] = 3
    shown = labels @ push + 4 * (table["view"] == "AP").to_numpy()[:, None] * np.array([1, 1, 0, 0])
    cohort = SimpleNamespace(
        rows=lambda split: np.arange(200) + 200 * (split == "val"),
        labels=lambda rows: labels[rows],
        label_space=NIH15,
        table=table,
    )
    alike = module.cosines(shown, cohort, ["train", "val"])
    at = {name: NIH15.index(name) for name in ("Mass", "Nodule", "Hernia", "Edema", "Pneumonia")}
    assert alike[at["Mass"], at["Nodule"]] == pytest.approx(1)
    assert alike[at["Mass"], at["Hernia"]] == pytest.approx(-1)
    assert alike[at["Mass"], at["Edema"]] == pytest.approx(0, abs=1e-9)
    assert alike[at["Mass"], at["Pneumonia"]] == pytest.approx(0, abs=1e-9)
    assert module.likeness(alike, {"a": ["Mass", "Nodule"], "b": ["Mass", "Edema"]}) == pytest.approx(0.5)


def test_grouping_finds_siblings_that_are_planted(experiment: Any) -> None:
    module = experiment("tail_trees")
    rng = np.random.default_rng(1)
    planted = np.repeat(np.arange(5), module.SIZES)[rng.permutation(14)]
    alike = (planted[:, None] == planted) * 0.3 + 0.05 * rng.normal(size=(14, 14))
    alike = (alike + alike.T) / 2
    found = {tuple(names) for names in module.grouped(alike, starts=20).values()}
    assert found == {tuple(np.array(NIH15.findings)[planted == group]) for group in range(5)}
    unlike = module.grouped(-alike, starts=20)
    assert module.likeness(alike, unlike) < 0.1
    assert sorted(map(len, unlike.values())) == sorted(module.SIZES)


def test_what_is_recovered_is_a_share_of_what_was_lost(experiment: Any) -> None:
    module = experiment("tail_measures")
    rng = np.random.default_rng(0)

    def scores(ap: float) -> Any:
        draws = ap + 0.01 * rng.normal(size=(50, 15))
        return module.Scores(np.full(15, ap), np.full(15, 0.5), draws, draws, np.array([[ap] * 15, [ap + 0.1] * 15]))

    measured = object.__new__(module.Measured)
    measured._columns = {"tail": [3, 6]}
    measured.scores = {"mild": {"flat-basic": scores(0.6)}, "long": {"flat-basic": scores(0.2), "new": scores(0.3)}}
    share = measured.recovered("mild", "long", "new", "flat-basic", "tail")
    easy, hard, mine = (
        measured.scores[condition][name].ap_draws[:, [3, 6]].mean(axis=1)
        for condition, name in (("mild", "flat-basic"), ("long", "flat-basic"), ("long", "new"))
    )
    assert share.mean == pytest.approx(0.25)
    assert (share.low, share.high) == pytest.approx(interval((mine - hard) / (easy - hard))[:2])
    gain = measured.difference("long", "new", "flat-basic", "tail")
    assert gain.mean == pytest.approx(0.1)
    assert gain.p == two_sided_p(mine - hard)
    assert np.isnan(measured.recovered("long", "mild", "flat-basic", "flat-basic", "tail").mean)  # nothing was lost
    assert measured.seed_spread("long", "new", "tail") == pytest.approx(np.std([0.3, 0.4], ddof=1))


def test_a_sentence_names_what_is_shown_and_counts_the_rest(experiment: Any) -> None:
    module, estimate = experiment("tail_tables"), experiment("tail_measures").Estimate
    shown, not_adjusted, worse = (
        estimate(0.1, 0.05, 0.2, 0.01),
        estimate(0.1, 0.05, 0.2, 0.2),
        estimate(-0.1, -0.2, -0.01, 0.04),
    )
    assert module.sentence({"a": not_adjusted}, "zero") == "No difference from zero is shown for any of the 1."
    assert module.sentence({"a": shown, "b": not_adjusted, "c": worse}, "zero") == (
        "Shown above zero: a; below: c; no difference shown for the other 1."
    )
