import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Recipe, load_recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import is_complete, train_run

MakeRecipe = Callable[..., Recipe]
ARCHITECTURES = {"flat-basic": ["flat"], "hierarchical-shared": ["shared"], "hierarchical-cascade": ["A", "B", "C"]}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_run_leaves_its_whole_folder(
    name: str, tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(name, "epochs=1")
    result = train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit)
    assert is_complete(result.folder)
    assert load_recipe(result.folder / "recipe.yaml") == recipe
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["network"] for line in lines] == ARCHITECTURES[name]
    environment = json.loads((result.folder / "environment.json").read_text())
    assert environment["backbone"]["name"] == "test_resnet"
    assert "random" in environment["backbone"]["source"]
    assert abs((datetime.now(UTC).date() - date.fromisoformat(environment["date"])).days) <= 1
    cost = json.loads((result.folder / "cost.json").read_text())
    assert cost["parameters"] > 0
    assert cost["ms_per_image"] > 0
    assert not (result.folder / "checkpoints" / "last").exists()
    assert {path.stem for path in (result.folder / "checkpoints" / "best").iterdir()} == set(ARCHITECTURES[name])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_predictions_cover_val_and_test_and_never_train(
    name: str, tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    train_run(tiny_recipe(name, "epochs=1"), tiny_dataset, tmp_path / "run", kit=tiny_kit)
    predictions = Predictions.load(tmp_path / "run" / "predictions.parquet")
    table = tiny_dataset.cohort.table
    expected = table[table["split"].isin(["val", "test"])].set_index("image_id")["split"]
    got = predictions.frame.set_index("image_id")["split"]
    pd.testing.assert_series_equal(got.sort_index(), expected.sort_index(), check_names=False, check_dtype=False)
    assert (predictions.taxonomy is not None) == (name != "flat-basic")


def test_a_hierarchy_never_finds_a_child_likelier_than_its_parent(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    train_run(tiny_recipe("hierarchical-shared", "epochs=1"), tiny_dataset, tmp_path / "run", kit=tiny_kit)
    frame = Predictions.load(tmp_path / "run" / "predictions.parquet").frame
    finding = 1.0 - frame["No Finding"].to_numpy()
    for name in tiny_dataset.cohort.label_space.findings:
        assert (frame[name].to_numpy() <= finding + 1e-12).all()


def test_a_run_never_overwrites(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="never overwritten"):
        train_run(tiny_recipe(), tiny_dataset, tmp_path, kit=tiny_kit)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_resume_refuses_another_recipe_or_seed(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = train_run(tiny_recipe("flat-basic", "epochs=1"), tiny_dataset, out, kit=tiny_kit)
    again = train_run(tiny_recipe("flat-basic", "epochs=1"), tiny_dataset, out, kit=tiny_kit, resume=True)
    assert again.evaluation == json.loads(json.dumps(first.evaluation))
    with pytest.raises(RunError, match="different settings"):
        train_run(tiny_recipe("flat-basic", "epochs=2"), tiny_dataset, out, kit=tiny_kit, resume=True)
    with pytest.raises(RunError, match="another seed"):
        train_run(tiny_recipe("flat-basic", "epochs=1"), tiny_dataset, out, kit=tiny_kit, resume=True, seed=1)


def test_a_cascade_killed_in_its_second_network_resumes_to_the_same_predictions(
    tiny_dataset: Dataset,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", "epochs=2", "freeze=true")
    train_run(recipe, tiny_dataset, tmp_path / "whole", kit=tiny_kit)
    make = NetworkKit.trainer

    def stop_at_c(self: NetworkKit, recipe: Recipe, task: object, *rest: object) -> object:
        if task.name == "C":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return make(self, recipe, task, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(NetworkKit, "trainer", stop_at_c)
    with pytest.raises(KeyboardInterrupt):
        train_run(recipe, tiny_dataset, tmp_path / "cut", kit=tiny_kit)
    monkeypatch.undo()
    train_run(recipe, tiny_dataset, tmp_path / "cut", kit=tiny_kit, resume=True)
    whole, cut = (Predictions.load(tmp_path / name / "predictions.parquet").frame for name in ("whole", "cut"))
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)
    networks = [json.loads(line)["network"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert networks == ["A", "A", "B", "B", "C", "C"]


def test_no_test_row_reaches_training(
    tiny_dataset: Dataset,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The original study mixed augmented copies of an image into training and validation."""
    from chestxpert.training.loop import Trainer

    seen: set[int] = set()
    step = Trainer.step

    def watched(self: Trainer, inputs: object, rows: np.ndarray) -> object:
        seen.update(rows.tolist())
        return step(self, inputs, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "step", watched)
    train_run(tiny_recipe("flat-resampled", "epochs=1"), tiny_dataset, tmp_path / "run", kit=tiny_kit)
    patients = tiny_dataset.cohort.table["patient_id"].to_numpy()
    others = set(patients[tiny_dataset.cohort.rows("val")]) | set(patients[tiny_dataset.cohort.rows("test")])
    assert seen <= set(tiny_dataset.cohort.rows("train").tolist())
    assert not others & set(patients[sorted(seen)])


def test_what_a_kill_left_is_swept_when_a_complete_run_is_met_again(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, out = tiny_recipe("flat-basic", "epochs=1"), tmp_path / "run"
    train_run(recipe, tiny_dataset, out, kit=tiny_kit)
    (out / "checkpoints" / "last").mkdir()
    for left in (
        out / "checkpoints" / "last" / "flat.pt",
        out / "checkpoints" / "best" / ".flat.safetensors.99999999.part",
    ):
        (out / "checkpoints" / left).touch()
    train_run(recipe, tiny_dataset, out, kit=tiny_kit, resume=True)
    assert not [*out.rglob("*.pt"), *out.rglob("*.part")]
