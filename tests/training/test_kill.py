"""A run that is killed while it writes, whatever it writes, and resumed gives what it would have given unbroken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from chestxpert.dataset import Dataset
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Head, Recipe, Stage
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import is_complete, train_run


@contextmanager
def killed_in_rename(fatal: int | None, out: Path) -> Iterator[list[str]]:
    """Context in which the process dies instead of doing the `fatal`-th rename below `out` (None: never).

    Gives the names of the files that became whole before. Who is killed does not tidy up: what was written aside
    stays where it is.
    """
    whole: list[str] = []
    dead = False
    rename, unlink = Path.replace, Path.unlink

    def renamed(self: Path, target: Path) -> Path:
        nonlocal dead
        if out in target.parents:
            dead = len(whole) + 1 == fatal
            if dead:
                raise KeyboardInterrupt
            whole.append(target.name)
        return rename(self, target)

    def unlinked(self: Path, missing_ok: bool = False) -> None:
        if not dead:
            unlink(self, missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", renamed)
        patch.setattr(Path, "unlink", unlinked)
        yield whole


@dataclass(frozen=True)
class Unbroken:
    """A run that nothing happened to, and the files that became whole in it, one after the other."""

    recipe: Recipe
    folder: Path
    files: list[str]


@pytest.fixture(scope="module")
def unbroken(tiny_dataset: Dataset, tiny_kit: NetworkKit, tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    # Averaging reaches over several steps, so that weights and averaged weights differ and both must come back.
    optimizer = replace(tiny_kit.recipe.optimizer, average=0.5)
    recipe = replace(
        tiny_kit.recipe, name="cascade", architecture="cascade", epochs=2, freeze=True, optimizer=optimizer
    )
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    with killed_in_rename(None, folder) as files:
        train_run(recipe, tiny_dataset, folder)
    return Unbroken(recipe, folder, files)


def lines(run: Path) -> list[dict[str, object]]:
    """Stored metrics of each epoch, without how long it took."""
    stored = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in stored]


@pytest.mark.parametrize("fatal", [1, 2, 3, 4, 5, 10, -6, -1])
def test_a_run_killed_in_any_rename_resumes_to_the_same_predictions(
    fatal: int, unbroken: Unbroken, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    """The first two renames begin the folder, 3 to 5 store the first epoch, and negative ones count from the end."""
    number = fatal if fatal > 0 else len(unbroken.files) + 1 + fatal
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), killed_in_rename(number, out) as before:
        train_run(unbroken.recipe, tiny_dataset, out)
    assert before == unbroken.files[: number - 1]
    assert not is_complete(out)
    assert list(out.rglob(".*.part"))
    train_run(unbroken.recipe, tiny_dataset, out, resume=True)
    assert is_complete(out)
    expected, got = (Predictions.load(run / "predictions.parquet").frame for run in (unbroken.folder, out))
    pd.testing.assert_frame_equal(got, expected, check_exact=True)
    assert lines(out) == lines(unbroken.folder)


@pytest.mark.parametrize("kind", ["crt", "unconditional", "tau-norm"])
def test_a_run_killed_between_its_stages_or_in_the_second_ends_with_the_same_bytes(
    kind: str, tiny_dataset: Dataset, tiny_kit: NetworkKit, tmp_path: Path
) -> None:
    """What the first one left is needed until the second has stored an epoch of its own."""
    stage = Stage(kind, {} if kind == "tau-norm" else {"epochs": 2})
    optimizer = replace(tiny_kit.recipe.optimizer, average=0.5)
    recipe = replace(
        tiny_kit.recipe, name="staged", architecture="shared", epochs=2, freeze=True, head=Head((8,), (0.2,)),
        optimizer=optimizer, stage=stage,
    )  # fmt: skip
    kit = replace(tiny_kit, recipe=recipe)
    with killed_in_rename(None, tmp_path / "whole") as files:
        train_run(recipe, tiny_dataset, tmp_path / "whole", kit=kit)
    assert files.count("shared.pt") == (2 if kind == "tau-norm" else 4)
    begun = [number for number, name in enumerate(files, start=1) if name == "shared.pt"][1]  # the first stage's last
    for fatal in (*range(begun, begun + 5), len(files) - 1):
        out = tmp_path / f"run-{fatal}"
        with pytest.raises(KeyboardInterrupt), killed_in_rename(fatal, out) as before:
            train_run(recipe, tiny_dataset, out, kit=kit)
        assert before == files[: fatal - 1]
        train_run(recipe, tiny_dataset, out, kit=kit, resume=True)
        for name in ("predictions.parquet", "evaluation.json", "checkpoints/best/shared.safetensors"):
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), (fatal, name)
        assert lines(out) == lines(tmp_path / "whole")
        assert [path.name for path in (out / "checkpoints").iterdir()] == ["best"]


def test_the_kills_are_spread_over_the_run(unbroken: Unbroken) -> None:
    names = unbroken.files
    assert names[:2] == ["recipe.yaml", "environment.json"]
    assert names[2:5] == ["A.safetensors", "A.pt", "metrics.jsonl"]
    assert names[9] in ("B.safetensors", "B.pt", "metrics.jsonl")
    assert names[-6] == "C.pt"
    assert names[-1] == "evaluation.json"
