"""Trees from short files: what they may say, and which node an error names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.errors import LabelError
from chestxpert.labels import CXRLT20, NIH15, NO_FINDING, LabelSpace
from chestxpert.taxonomy import Decision, Taxonomy, parse_taxonomy, taxonomy_to_yaml

ABCD = LabelSpace("abcd", ("a", "b", "c", "d", NO_FINDING), aliases={"bee": "b"})


def read(tree: str, more: str = "", space: LabelSpace = ABCD) -> Taxonomy:
    return parse_taxonomy(f"name: mine\ntree: {tree}\n{more}", space, origin="mine.yaml")


def test_children_are_findings_and_nodes_in_the_order_they_are_written() -> None:
    tree = read("{any: [d, {left: [bee, A]}, c]}")
    assert tree.decisions == (
        Decision("root", None, ("any",)),
        Decision("any", "any", ("d", "left", "c")),
        Decision("left", "left", ("b", "a")),
    )
    assert (tree.name, tree.label_space) == ("mine", ABCD)
    assert dict(zip(tree.nodes, tree.levels, strict=True)) == {"any": 1, "d": 2, "left": 2, "c": 2, "b": 3, "a": 3}
    assert tree.findings_below("any") == ("a", "b", "c", "d")
    assert tree.findings_below("left") == ("a", "b")
    assert tree.findings_below("d") == ("d",)
    with pytest.raises(LabelError, match="no node 'right'"):
        tree.findings_below("right")


def test_children_may_be_keys_where_all_of_them_have_children() -> None:
    assert read("{any: {left: [a, b], right: [c, d]}}") == read("[any: [left: [a, b], right: [c, d]]]")


def test_decisions_have_their_nodes_names_or_their_own() -> None:
    tree = read("{any: [a, {more: [b, c, d]}]}", "decisions: {root: A, more: second look}")
    assert [decision.name for decision in tree.decisions] == ["A", "any", "second look"]


def test_rest_is_every_finding_that_stands_nowhere_else_in_label_order() -> None:
    assert read("{any: [c, more: rest]}") == read("{any: [c, more: [a, b, d]]}")
    assert read("{any: [rest, {two: [d, b]}]}") == read("{any: [a, c, {two: [d, b]}]}")
    assert read("{any: [a, rest, b, c, d]}") == read("{any: [a, b, c, d]}")


def test_what_a_label_space_lacks_is_left_out_and_no_node_keeps_an_only_child() -> None:
    text = "{any: [{left: [a, x]}, {gone: [x2, {deeper: [x3]}]}, {right: [b, c, {low: [d, x4]}]}]}"
    more = "optional: [x, x2, x3, x4]\ndecisions: {left: L, right: R}"
    assert read(text, more) == read("{any: [a, right: [b, c, d]]}", "decisions: {right: R}")
    wide = LabelSpace("wide", ("a", "b", "c", "d", "x", "x2", "x3", "x4", NO_FINDING))
    with pytest.raises(LabelError, match="Node 'deeper' has one child, 'x3'"):
        read(text, more, wide)
    kept = read(text.replace("{deeper: [x3]}", "x3"), more, wide)
    assert set(kept.leaves) == set(wide.findings)
    assert kept.decision_of("x").name == "L"


def test_an_optional_finding_is_canonical_where_it_is_there() -> None:
    text = "name: t\ntree: {any: [Pleural_Thickening, Tortuous aorta, rest]}\noptional: [Tortuous aorta]"
    assert parse_taxonomy(text, CXRLT20).nodes[1:3] == ("Pleural Thickening", "Tortuous Aorta")
    assert parse_taxonomy(text, NIH15).nodes[1:3] == ("Pleural_Thickening", "Atelectasis")


DEEP = "{n1: [a, {n2: [b, {n3: [c, {n4: [{n5: [{n6: [{n7: [{n8: [{n9: [{n10: [{n11: [d]}]}]}]}]}]}]}]}]}]}]}"


@pytest.mark.parametrize(
    ("tree", "more", "words"),
    [
        ("{any: [a, b, c]}", "", "d stands nowhere in the tree"),
        ("{any: [a, b]}", "", "c, d stand nowhere in the tree.*write 'rest'"),
        ("{any: [a, b, c, d, a]}", "", "'a' stands twice, below 'any' and below 'any'"),
        ("{any: [a, {left: [b, A]}, c, d]}", "", "'a' stands twice, below 'any' and below 'left'"),
        ("{any: [bee, {left: [b, a]}, c, d]}", "", "'b' stands twice"),
        ("{any: [{left: [a, b]}, {LEFT: [c, d]}]}", "", "'LEFT' stands twice"),
        ("{any: [rest, {more: rest}]}", "", "'rest' stands twice"),
        ("{any: [a, b, c, dd]}", "", "Below node 'any': 'dd' is not a finding of label space 'abcd'. Did you mean 'd'"),
        ("{any: [a, b, c, d, No Finding]}", "", "'No Finding' is the absence of all findings"),
        ("{any: [a, b, c, {d: [e]}]}", "", "Node 'd' below 'any' has the name of a finding"),
        ("{any: [a, b, c, {Bee: [d]}]}", "", "Node 'Bee' below 'any' has the name of a finding"),
        ("{any: [a, {left: []}, rest]}", "", "Node 'left' is empty"),
        ("{any: [a, {left: }, rest]}", "", "Node 'left' is empty"),
        ("{any: [a, {left: {}}, rest]}", "", "Node 'left' is empty"),
        ("", "", "Node 'root' is empty"),
        ("{any: [a, b, c, d, {more: rest}]}", "", "Node 'more' is empty: no finding is left for 'rest'"),
        ("{any: [a, b, c, {more: rest}]}", "", "Node 'more' has one child, 'd'"),
        ("{any: [a, b, c, {more: [d]}]}", "", "Node 'more' has one child, 'd'"),
        (
            "{any: [a, b, [c, d]]}",
            "",
            r"Below node 'any' stand .*'node: children', but there is \['c', 'd'\]",
        ),
        ("{any: [a, b, 3]}", "", "Below node 'any' .* but there is 3"),
        ("{any: [a, {3: [b, c, d]}]}", "", "A node below 'any' needs a name .* but got 3"),
        ("{any: [a, {../x: [b, c, d]}]}", "", r"A node below 'any' needs a name .* but got '\.\./x'"),
        ("{any: [a, {root: [b, c, d]}]}", "", "The node 'root' below 'any' needs another name"),
        ("{any: [a, {rest: [b, c, d]}]}", "", "The node 'rest' below 'any' needs another name"),
        ("[a, b, c, d]", "", "root decision 'root' needs one child"),
        ("{one: [a, b], two: [c, d]}", "", "root decision 'root' needs one child"),
        (DEEP, "", "The children of node 'n10' are at depth 11; at most 10 is taken"),
        ("&loop {any: [a, *loop]}", "", "'any' stands twice, below 'root' and below 'any'"),
        ("{any: [a, b, c, d]}", "optional: [x]", "'optional' names x, which the tree has not"),
        ("{any: [a, b, c, d]}", "optional: a", "'optional' takes a list of findings"),
        ("{any: [a, b, c, d, {x: [y, z]}]}", "optional: [x, y, z]", "Node 'x' below 'any' has the name of a finding"),
        ("{any: [a, b, c, d]}", "decisions: {anny: A}", "'decisions' names 'anny'.*Did you mean 'any'"),
        ("{any: [a, b, c, d]}", "decisions: {a: A}", "'decisions' names 'a', which is no node with children"),
        ("{any: [a, b, c, d]}", "decisions: {any: a/b}", "The decision of node 'any' needs a name"),
        ("{any: [a, b, c, d]}", "decisions: [A]", "'decisions' takes nodes and names"),
        ("{any: [a, b, c, d]}", "decisions: {root: X, any: X}", "each of its own name"),
        ("{any: [a, b, c, d]}", "optinal: [x]", "unknown key 'optinal'. Did you mean 'optional'"),
        ("{any: [a, b, c, d]}", "tree: {any: [a]}", "tree is given twice"),
        ("{any: [", "", "no valid YAML"),
    ],
)
def test_an_error_names_the_node_and_the_file(tree: str, more: str, words: str) -> None:
    with pytest.raises(LabelError, match=words) as caught:
        read(tree, more)
    assert str(caught.value).startswith("mine.yaml")


@pytest.mark.parametrize("text", ["tree: {any: rest}", "name: 3\ntree: {any: rest}", "name: ' '\ntree: {any: rest}"])
def test_a_taxonomy_needs_a_name(text: str) -> None:
    with pytest.raises(LabelError, match="needs a name"):
        parse_taxonomy(text, ABCD)


def test_many_references_to_one_node_end_at_the_second() -> None:
    """Ten lists of ten references each would be ten thousand million nodes."""
    lines = ["name: bomb", "tree:", "  any:", "    - &x0 {y0: [a, b]}"]
    lines += [f"    - &x{n} {{y{n}: [{', '.join([f'*x{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    with pytest.raises(LabelError, match="stands twice"):
        parse_taxonomy("\n".join(lines), ABCD)


@st.composite
def written_trees(draw: st.DrawFn) -> Taxonomy:
    """A tree such as a file can say: every node with children has at least two, but for the root."""
    no_finding = draw(st.booleans())
    decisions = [("root", None, 1 if no_finding else draw(st.integers(2, 3)))]
    leaves = [f"r{i}" for i in range(decisions[0][2])]
    made = [Decision("root", None, tuple(leaves))]
    for number in range(draw(st.integers(1 if no_finding else 0, 4))):
        parent = draw(st.sampled_from(leaves))
        children = tuple(f"n{number}{i}" for i in range(draw(st.integers(2, 3))))
        made.append(Decision(draw(st.sampled_from([parent, f"D{number}"])), parent, children))
        leaves = [*(leaf for leaf in leaves if leaf != parent), *children]
    labels = draw(st.permutations([*leaves, NO_FINDING] if no_finding else leaves))
    return Taxonomy("drawn", LabelSpace("drawn", tuple(labels), NO_FINDING if no_finding else None), tuple(made))


@given(written_trees())
@settings(max_examples=150)
def test_a_tree_survives_its_own_file(tree: Taxonomy) -> None:
    text = taxonomy_to_yaml(tree)
    again = parse_taxonomy(text, tree.label_space)
    assert set(again.decisions) == set(tree.decisions)
    assert again.name == tree.name
    assert parse_taxonomy(taxonomy_to_yaml(again), tree.label_space) == again
    widths = [again.levels[again.nodes.index(decision.children[0])] for decision in again.decisions]
    assert widths == sorted(widths), "level by level"
