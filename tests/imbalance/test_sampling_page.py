"""The code of docs/sampling.md, run as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from chestxpert.imbalance.draws import draw_rows
from chestxpert.imbalance.mixes import partner_draw
from chestxpert.recipe import DRAWS, MIXES, Mix, parse_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text(encoding="utf-8")


def blocks(section: str, language: str) -> list[str]:
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_a_sampler_of_ones_own_is_one_function_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,), (yaml,) = (blocks("A sampler of one's own", language) for language in ("python", "yaml"))
    (tmp_path / "mysampler.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert len(yaml.splitlines()) == 1
    recipe = parse_recipe(f"name: mine\narchitecture: flat\n{yaml}")
    assert parse_recipe(recipe.to_yaml()) == recipe
    labels = np.zeros((1000, 3), bool)
    labels[:800, 2] = True  # alone on 790 rows
    labels[790:, 0] = True
    epochs = [draw_rows(recipe.sampling.draw, labels, np.random.default_rng(seed), 1.0) for seed in range(20)]
    for rows in epochs:
        assert set(range(790, 1000)) <= set(rows.tolist())
        assert len(rows) == len(set(rows.tolist()))
    assert np.mean([len(rows) - 210 for rows in epochs]) == pytest.approx(0.2 * 790, rel=0.1)
    assert len({tuple(rows) for rows in epochs}) == 20


def test_the_command_on_the_page_gives_the_same_draw() -> None:
    override = re.search(r'--set "(sampling\.draw=.*)"', PAGE)
    assert override is not None
    (yaml,) = blocks("A sampler of one's own", "yaml")
    assert (
        parse_recipe("{name: x, architecture: flat}", overrides=[override[1]]).sampling
        == parse_recipe(f"name: x\narchitecture: flat\n{yaml}").sampling
    )


def test_a_loop_of_ones_own_sees_in_two_processes_what_it_sees_in_one() -> None:
    (code,) = blocks("Several processes, and loops of one's own", "python")
    names: dict[str, object] = {}
    exec(code, names)
    batches = names["batches"]
    assert callable(batches)
    labels = np.random.default_rng(0).random((50, 4)) < [0.5, 0.3, 0.1, 0.02]
    images = torch.rand(50, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(images, torch.from_numpy(labels).float(), torch.ones(50, 4, dtype=torch.bool))
    alone = list(batches(data, labels, 2, 0, 1))
    ranks = [list(batches(data, labels, 2, rank, 2)) for rank in range(2)]
    assert len(alone) > 6
    for one, *shares in zip(alone, *ranks, strict=True):
        assert torch.equal(torch.cat([share.inputs for share in shares]), one.inputs)


def test_the_page_names_every_method_with_its_settings_and_where_partners_come_from() -> None:
    draws, mixes = (PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0] for name in ("Draws", "Mixes"))
    for name, method in DRAWS.items():
        (heading,) = [line for line in draws.splitlines() if line.startswith("### ") and f"`{name}`" in line]
        assert all(f"`{setting}` {default:g}" in heading for setting, default in method.settings.items())
    for name, method in MIXES.items():
        (row,) = [line for line in mixes.splitlines() if line.startswith(f"| `{name}`")]
        assert all(f"`{setting}` {default:g}" in row for setting, default in method.settings.items())
        assert ("class-balanced" in row) == (partner_draw(Mix(name)) is not None)
        assert ("impossible" in row) == method.needs_images
