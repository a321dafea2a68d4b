"""The worked example of docs/losses.md, as it stands there, and what the page says of the catalogue."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from chestxpert.cli.main import main
from chestxpert.dataset import Dataset
from chestxpert.imbalance.losses import LabelStats, build_loss
from chestxpert.recipe import LOSSES, builtin_recipes, load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## A loss of one's own")[2]
TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32"]


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", EXAMPLE, re.DOTALL)
    return str(found)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's two files, to be in."""
    (tmp_path / "my_losses.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "my-recipe.yaml").write_text(block("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_trains_with_the_command_on_the_page(
    example: Path, tiny_dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *words = shlex.split(block("sh"))
    words[words.index("data/nih")] = str(tiny_dataset.folder)
    assert program == "chestxpert"
    assert main([*words, *(word for change in TINY for word in ("--set", change))]) == 0
    capsys.readouterr()
    run = example / "runs" / "smoothed"
    assert load_recipe(run / "recipe.yaml").loss.settings == {"amount": 0.1}
    (line,) = [json.loads(text) for text in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 0 < line["train_loss"] < 10
    assert (run / "evaluation.json").is_file()


def test_the_example_computes_what_it_says(example: Path) -> None:
    recipe = load_recipe("my-recipe.yaml")
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(6, 3, generator=generator), torch.tensor([[1.0, 0.0, 1.0]]).repeat(6, 1)
    known = torch.rand(6, 3, generator=generator) < 0.7
    counts = torch.ones(3, dtype=torch.float64).numpy()
    got = build_loss(recipe.loss, LabelStats(counts, counts))(logits, targets, known)
    expected = F.binary_cross_entropy_with_logits(logits, 0.9 * targets + 0.05, reduction="none")[known].mean()
    assert float(got) == pytest.approx(float(expected), rel=1e-5)
    assert recipe.loss.pos_weight == "sqrt"


def test_the_page_has_every_loss_with_its_recipe_and_defaults() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|", PAGE, re.MULTILINE))
    assert table.keys() == LOSSES.keys()
    for kind, name in table.items():
        assert load_recipe(builtin_recipes()[name]).loss.kind == kind
    for kind, method in LOSSES.items():
        (said,) = re.findall(rf"^\*\*`{kind}`\*\*(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
        for setting, default in method.settings.items():
            if not (kind == "robust_asymmetric" and setting in LOSSES["asymmetric"].settings):  # 'the rest as ASL'
                value = f"{default:g}".replace("-", "\N{MINUS SIGN}")
                assert re.search(rf"`{setting}`[^,;]* {re.escape(value)}[,;]", " ".join(said.split())), (kind, setting)
