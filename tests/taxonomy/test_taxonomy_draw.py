"""Trees as text, with counts that agree with a count by hand."""

import numpy as np
import pytest

from chestxpert.labels import NIH15, NO_FINDING, LabelSpace
from chestxpert.taxonomy import NodeCounts, draw_tree, parse_taxonomy, study_taxonomy
from chestxpert.taxonomy.draw import BOXES, PLAIN_BOXES, places

SPACE = LabelSpace("abc", ("a", "b", "c", NO_FINDING))
TREE = parse_taxonomy("{name: t, tree: {any: [{low: [a, b]}, c]}, decisions: {root: A}}", SPACE)
ROWS = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)


def test_every_node_has_a_line_below_its_parent() -> None:
    assert draw_tree(TREE).splitlines() == [
        "root (decision A)",
        "└─ any",
        "   ├─ low",
        "   │  ├─ a",
        "   │  └─ b",
        "   └─ c",
    ]
    assert [place.node for place in places(TREE)] == ["any", "low", "a", "b", "c"]
    assert len(draw_tree(study_taxonomy(NIH15)).splitlines()) == 17


def test_plain_signs_draw_the_same_tree() -> None:
    plain = draw_tree(TREE, boxes=PLAIN_BOXES)
    assert plain.isascii()
    for fancy, ascii_sign in zip(BOXES, PLAIN_BOXES, strict=True):
        plain = plain.replace(ascii_sign, fancy)
    assert plain == draw_tree(TREE)


def test_counts_stand_beside_the_nodes() -> None:
    assert draw_tree(TREE, NodeCounts.of(TREE, ROWS)).splitlines() == [
        "                   images   share  where asked",
        "root (decision A)       5",
        "└─ any                  3  60.0 %       60.0 %",
        "   ├─ low               2  40.0 %       66.7 %",
        "   │  ├─ a              2  40.0 %      100.0 %",
        "   │  └─ b              1  20.0 %       50.0 %",
        "   └─ c                 2  40.0 %       66.7 %",
    ]


def test_what_is_unknown_has_a_column_and_is_left_out_of_shares() -> None:
    known = np.ones_like(ROWS)
    known[0, 1] = known[3, :] = False
    lines = draw_tree(TREE, NodeCounts.of(TREE, ROWS, known)).splitlines()
    assert lines[0].split() == ["images", "unknown", "share", "where", "asked"]
    assert lines[2].split()[2:] == ["3", "1", "75.0", "%", "75.0", "%"]
    assert lines[5].split()[3:] == ["1", "2", "33.3", "%", "100.0", "%"]  # b, known in three, asked and known in one


@pytest.mark.parametrize("rows", [0, 3])
def test_no_image_has_no_share(rows: int) -> None:
    text = draw_tree(TREE, NodeCounts.of(TREE, np.zeros((rows, 4), dtype=bool)))
    assert text.splitlines()[4].endswith("-")
