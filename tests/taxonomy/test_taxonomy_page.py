"""docs/taxonomies.md: its trees are drawn as shown, its own tree trains, and its cascade exits early."""

import json
import re
from pathlib import Path

import pytest

from chestxpert.cli.main import main
from chestxpert.dataset import prepare
from chestxpert.labels import CXRLT20
from chestxpert.recipe import Loss, Thin, parse_recipe
from chestxpert.taxonomy import builtin_taxonomies, parse_taxonomy
from chestxpert.taxonomy.parse import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "taxonomies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
OWN, PER_DECISION = [text for kind, text in BLOCKS if kind == "yaml"]
[EARLY] = [text for kind, text in BLOCKS if kind == "python"]
DRAWN = [text for kind, text in BLOCKS if kind == ""]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("my-tree.yaml").write_text(OWN, encoding="utf-8")
    return Path("my-tree.yaml")


def test_the_pages_own_tree_is_drawn_as_the_page_shows_it(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["taxonomy", "show", str(own)]) == 0
    assert capsys.readouterr().out == DRAWN[1]


def test_the_pages_own_tree_fits_the_wide_label_space_too() -> None:
    tree = parse_taxonomy(OWN, CXRLT20)
    assert tree.decision_of("Pneumomediastinum").name == "urgent"
    assert tree.decision_of("urgent").name == "how soon"


def test_the_clinical_tree_on_the_sample_is_as_the_page_shows_it(
    nih_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(nih_sample, tmp_path / "data", size=32, workers=1)
    assert main(["taxonomy", "show", "clinical", "--data", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out == DRAWN[0]


def test_a_recipe_trains_down_the_pages_own_tree(own: Path, tiny_nih: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tiny_nih, own.parent / "data", size=32, workers=1)
    words = "train hierarchical-shared --set taxonomy=my-tree.yaml --data data --out run --freeze --set epochs=1"
    tiny = "--set size=32 --set backbone=test_resnet --set weights=none --set views=0 --set head.hidden=[8]"
    assert main([*words.split(), *tiny.split(), "--set", "head.dropout=[0]"]) == 0
    assert "Run: run" in capsys.readouterr().out
    assert '"taxonomy": "urgency"' in Path("run/evaluation.json").read_text(encoding="utf-8")


def test_the_page_explains_every_key_and_names_every_tree() -> None:
    rows = re.findall(
        r"^\| `([a-z_]+)` \|", PAGE.partition("## A tree of your own")[2].partition("##")[0], re.MULTILINE
    )
    assert set(rows) == {*KEYS, "rest"}
    named = re.findall(r"^\| `([a-zA-Z-]+)` \|", PAGE.partition("## A tree of your own")[0], re.MULTILINE)
    assert set(named) == {*builtin_taxonomies(), "majority-COUNT"}


def test_the_pages_decisions_inherit_what_the_page_says_they_do() -> None:
    recipe = parse_recipe(PER_DECISION)
    assert recipe.network("B").loss == Loss("focal", pos_weight="sqrt")
    own = recipe.network("C")
    assert (own.backbone, own.head.hidden, own.loss) == ("resnet18", (64,), recipe.loss)
    assert own.sampling.draw.kind == "class-balanced"
    assert own.sampling.thin == Thin({"No Finding": 0.5})
    undone = parse_recipe(PER_DECISION, overrides=["decisions.C.sampling.thin=null", "decisions.C.loss.kind=ldam"])
    assert undone.network("C").sampling.thin is None
    assert undone.network("C").loss == Loss("ldam", pos_weight="sqrt")


def test_the_pages_python_exits_early_and_its_table_names_every_cost(
    tiny_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tiny_nih, tmp_path / "data" / "nih", size=32, workers=1)
    words = "train hierarchical-cascade --data data/nih --out runs/cascade --freeze --set epochs=1"
    tiny = "--set size=32 --set backbone=test_resnet --set weights=none --set views=0 --set head.hidden=[8]"
    assert main([*words.split(), *tiny.split(), "--set", "head.dropout=[0]"]) == 0
    capsys.readouterr()
    exec(EARLY, {})  # the page's own lines
    assert re.match(r"\(30, 15\) \{'A': 1.0, 'B': [\d.]+, 'C': [\d.]+\}\n$", capsys.readouterr().out)
    told = PAGE.partition("## What it costs")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    cost = json.loads(Path("runs/cascade/cost.json").read_text(encoding="utf-8"))
    assert sorted(key for row in rows for key in re.findall(r"`(\w+)`", row)) == sorted(cost)
