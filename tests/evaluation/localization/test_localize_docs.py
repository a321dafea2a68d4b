"""The code of docs/localize.md, run as it stands there, and the keys that the page names."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from chestxpert.evaluation.localization import localize

PAGE = (Path(__file__).parents[3] / "docs" / "localize.md").read_text(encoding="utf-8")


def run_example(drawn_boxes: Path, room: Path) -> dict[str, Any]:
    (room / "data").mkdir()
    (room / "data" / "simulated").symlink_to(drawn_boxes)
    start, end = PAGE.index("    import numpy as np"), PAGE.index("To try it without any data")
    exec(textwrap.dedent(PAGE[start:end]), {})
    return localize(["maps/bright"], "data/simulated", draws=20)


def test_the_example_makes_maps_and_every_key_is_described(
    drawn_boxes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_example(drawn_boxes, tmp_path)
    assert result["maps"]["bright"]["missing"] == []
    assert result["maps"]["bright"]["method"] == "grey values"
    result.pop("folder")
    keys = [*result, *result["settings"], *result["boxes"], *result["maps"]["bright"], *result["contrasts"][0]]
    keys += [*result["data"], *next(iter(result["findings"].values()))]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []
