"""A card is written anew as long as nobody has changed it."""

from pathlib import Path

import pytest

from chestxpert.errors import RunError
from chestxpert.report.cards.keep import write_card


def test_a_card_as_written_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    assert write_card(path, "# One\n") == path
    write_card(path, "# Two\n")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Two\n\n<!-- written by chestxpert, ")
    assert text.endswith(" -->\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("One", "Mine"),
        lambda text: text + "my words\n",
        lambda text: "my own file\n",
        lambda text: "",
    ],
    ids=["above", "below", "other", "empty"],
)
def test_what_a_person_wrote_stays(tmp_path: Path, change: object) -> None:
    path = tmp_path / "card.md"
    write_card(path, "# One\n")
    mine = change(path.read_text(encoding="utf-8"))  # type: ignore[operator]
    path.write_text(mine, encoding="utf-8")
    with pytest.raises(RunError, match="it is not overwritten"):
        write_card(path, "# Two\n")
    assert path.read_text(encoding="utf-8") == mine


def test_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="it is not overwritten"):
        write_card(path, "# Two\n")


def test_a_folder_in_the_way_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it is not overwritten"):
        write_card(tmp_path, "# Two\n")
