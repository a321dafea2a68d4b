import itertools
import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.errors import LabelError
from chestxpert.labels import CXRLT20, NIH15, NO_FINDING, LabelSpace
from chestxpert.taxonomy import MAJORITY, Decision, Taxonomy, study_taxonomy, taxonomy

STUDY = study_taxonomy(NIH15)


@st.composite
def trees(draw: st.DrawFn, with_no_finding: bool | None = None) -> Taxonomy:
    """A small random tree: nodes are opened one after the other into one to three children."""
    no_finding = draw(st.booleans()) if with_no_finding is None else with_no_finding
    root = ("any",) if no_finding else tuple(f"r{i}" for i in range(draw(st.integers(1, 3))))
    decisions, leaves = [Decision("D0", None, root)], list(root)
    openings = draw(st.integers(1 if no_finding else 0, 3))
    for number in range(1, openings + 1):
        parent = draw(st.sampled_from(leaves))
        children = tuple(f"n{number}{i}" for i in range(draw(st.integers(1, 3))))
        decisions.append(Decision(f"D{number}", parent, children))
        leaves.remove(parent)
        leaves.extend(children)
    order = draw(st.permutations([*leaves, NO_FINDING] if no_finding else leaves))
    return Taxonomy("drawn", LabelSpace("drawn", tuple(order), NO_FINDING if no_finding else None), tuple(decisions))


def logits_for(tree: Taxonomy, bound: float = 80.0) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(st.floats(-bound, bound), min_size=len(tree.nodes), max_size=len(tree.nodes))
    return st.lists(row, min_size=1, max_size=4).map(np.array)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_enumeration(tree: Taxonomy, conditionals: np.ndarray) -> dict[str, float]:
    """Probability of every node by adding up all joint states in which it holds; a state of a node whose parent
    is off can only be off."""
    totals = dict.fromkeys([*tree.nodes, NO_FINDING], 0.0)
    for state in itertools.product([False, True], repeat=len(tree.nodes)):
        on = dict(zip(tree.nodes, state, strict=True))
        weight = 1.0
        for node, p in zip(tree.nodes, conditionals, strict=True):
            parent = tree.parent(node)
            chance = p if parent is None or on[parent] else 0.0
            weight *= chance if on[node] else 1 - chance
        for node in tree.nodes:
            totals[node] += weight * on[node]
        totals[NO_FINDING] += weight * (not any(on[node] for node in tree.nodes if tree.parent(node) is None))
    return totals


@given(trees(), st.data())
def test_marginals_equal_the_sum_over_all_states_of_the_tree(tree: Taxonomy, data: st.DataObject) -> None:
    logits = data.draw(logits_for(tree, bound=8.0))
    marginals = tree.marginals(logits)
    from_stored = tree.marginals_from_conditionals(sigmoid(logits))
    for row, values in enumerate(sigmoid(logits)):
        truth = by_enumeration(tree, values)
        expected = [truth[label] for label in tree.label_space.labels]
        np.testing.assert_allclose(marginals[row], expected, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(from_stored[row], expected, rtol=1e-9, atol=1e-15)


@given(trees(), st.data())
def test_a_child_is_never_likelier_than_its_parent_even_at_extreme_logits(tree: Taxonomy, data: st.DataObject) -> None:
    logits = data.draw(logits_for(tree))
    # The parent as a finding of its own: cut the tree above its lowest decision whose children are all leaves.
    log_p = tree.log_marginals(logits)
    probs = tree.marginals_from_conditionals(sigmoid(logits))
    assert np.isfinite(log_p).all()
    assert (log_p <= 0).all()
    assert ((probs >= 0) & (probs <= 1)).all()
    for finding in tree.label_space.findings:
        for ancestor in tree.ancestors(finding):
            above = cut_at(tree, ancestor)
            columns = [tree.nodes.index(node) for node in above.nodes]
            upper = above.log_marginals(logits[:, columns])[:, above.label_space.index(ancestor)]
            assert (log_p[:, tree.label_space.index(finding)] <= upper).all()
            upper = above.marginals_from_conditionals(sigmoid(logits)[:, columns])[:, above.label_space.index(ancestor)]
            assert (probs[:, tree.label_space.index(finding)] <= upper).all()


def cut_at(tree: Taxonomy, node: str) -> Taxonomy:
    """The tree with everything below `node` taken away, so that `node` is a finding."""
    gone = {other for other in tree.nodes if node in tree.ancestors(other)}
    kept = tuple(d for d in tree.decisions if not gone & set(d.children))
    inner = {d.parent for d in kept}
    leaves = tuple(n for d in kept for n in d.children if n not in inner)
    return Taxonomy("cut", LabelSpace("cut", leaves, None), kept)


@given(trees(with_no_finding=True), st.data())
def test_no_finding_is_what_any_finding_leaves(tree: Taxonomy, data: st.DataObject) -> None:
    logits = data.draw(logits_for(tree))
    column = tree.label_space.index(NO_FINDING)
    p_any = sigmoid(logits[:, 0])
    np.testing.assert_allclose(tree.marginals(logits)[:, column], 1 - p_any, atol=1e-15)
    np.testing.assert_allclose(tree.marginals_from_conditionals(sigmoid(logits))[:, column], 1 - p_any, atol=1e-15)
    # Where 1 - p cancels, the logarithm is still exact.
    exact = -np.logaddexp(0, logits[:, 0])
    np.testing.assert_allclose(tree.log_marginals(logits)[:, column], exact, rtol=1e-12)


def test_extreme_logits_keep_their_magnitude_in_log_space() -> None:
    logits = np.full((1, len(STUDY.nodes)), -80.0)
    log_p = STUDY.log_marginals(logits)[0]
    np.testing.assert_allclose(log_p[NIH15.index("Effusion")], -160.0, rtol=1e-12)
    np.testing.assert_allclose(log_p[NIH15.index("Hernia")], -240.0, rtol=1e-12)
    np.testing.assert_allclose(log_p[NIH15.index(NO_FINDING)], -np.exp(-80.0), rtol=1e-9)


def holds(tree: Taxonomy, node: str, labels: Mapping[str, bool]) -> bool:
    children = [child for decision in tree.decisions if decision.parent == node for child in decision.children]
    return any(holds(tree, child, labels) for child in children) if children else labels[node]


@given(trees(), st.data())
def test_targets_and_mask_equal_a_naive_recursion(tree: Taxonomy, data: st.DataObject) -> None:
    width = len(tree.label_space)
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=width, max_size=width), max_size=6))
    labels = np.array(rows, dtype=bool).reshape(len(rows), width)
    targets, mask = tree.targets(labels), tree.mask(labels)
    assert targets.shape == mask.shape == (len(rows), len(tree.nodes))
    assert targets.dtype == mask.dtype == np.bool_
    for row, values in enumerate(rows):
        named = dict(zip(tree.label_space.labels, values, strict=True))
        for column, node in enumerate(tree.nodes):
            parent = tree.parent(node)
            assert targets[row, column] == holds(tree, node, named)
            assert mask[row, column] == (parent is None or holds(tree, parent, named))
    assert not (targets & ~mask).any()


@given(trees(), st.data())
def test_routing_keeps_a_finding_only_if_every_node_above_it_is_on(tree: Taxonomy, data: st.DataObject) -> None:
    given_parent = sigmoid(data.draw(logits_for(tree, bound=3.0)))
    cut = np.array(data.draw(st.lists(st.floats(0.1, 0.9), min_size=len(tree.nodes), max_size=len(tree.nodes))))
    decisions = tree.route(given_parent, cut)
    for row, values in enumerate(given_parent):
        own = dict(zip(tree.nodes, values >= cut, strict=True))
        for finding in tree.label_space.findings:
            expected = all(own[node] for node in (*tree.ancestors(finding), finding))
            assert decisions[row, tree.label_space.index(finding)] == expected
        if tree.label_space.no_finding:
            assert decisions[row, tree.label_space.index(NO_FINDING)] != own[tree.nodes[0]]


def test_routing_loses_findings_at_a_and_at_b() -> None:
    sure = np.ones((3, len(STUDY.nodes)))
    sure[1, STUDY.nodes.index("finding")] = 0.2
    sure[2, STUDY.nodes.index("minority")] = 0.2
    decisions = STUDY.route(sure, np.full(len(STUDY.nodes), 0.5))
    named = [{NIH15.labels[k] for k in np.flatnonzero(row)} for row in decisions]
    assert named == [set(NIH15.findings), {NO_FINDING}, set(MAJORITY)]


def test_a_threshold_is_reached_from_its_own_value_upwards() -> None:
    at = np.full((1, len(STUDY.nodes)), 0.5)
    assert STUDY.route(at, at[0]).sum() == len(NIH15.findings)


def test_the_studys_tree() -> None:
    assert STUDY.nodes == (
        "finding", *MAJORITY, "minority", "Cardiomegaly", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Hernia",
        "Pleural_Thickening", "Pneumonia", "Pneumothorax",
    )  # fmt: skip
    assert set(STUDY.leaves) == set(NIH15.findings)
    assert STUDY.ancestors("Hernia") == ("finding", "minority")
    assert STUDY.parent("finding") is None
    assert STUDY.decision_of("Mass").name == "B"
    assert [STUDY.columns(name) for name in "ABC"] == [slice(0, 1), slice(1, 7), slice(7, 16)]
    assert taxonomy("study", NIH15) == STUDY
    assert len(study_taxonomy(CXRLT20).nodes) == 21


@given(trees())
def test_columns_of_all_decisions_are_the_nodes_in_order(tree: Taxonomy) -> None:
    nodes = [node for decision in tree.decisions for node in tree.nodes[tree.columns(decision.name)]]
    assert tuple(nodes) == tree.nodes
    assert all(node in tree.decision_of(node).children for node in nodes)


@given(trees())
def test_a_tree_survives_json(tree: Taxonomy) -> None:
    again = Taxonomy.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again == tree
    assert again.nodes == tree.nodes


AB = LabelSpace("ab", ("a", "b"), None)


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ([], "needs decisions"),
        ([Decision("D", None, ("a",))], "Missing: b"),
        ([Decision("D", None, ("a", "b", "c"))], "not findings: c"),
        ([Decision("D", None, ("a", "b", "a"))], "a stands twice"),
        ([Decision("D", None, ("a", "b")), Decision("E", "x", ("c",))], "'E' hangs below 'x'"),
        ([Decision("D", None, ("a",)), Decision("E", None, ("b",))], "'E' has parent None"),
        ([Decision("D", "a", ("a", "b"))], "'D' has parent a"),
        ([Decision("D", None, ("a", "b")), Decision("E", "a", ())], "'E' has no children"),
        ([Decision("D", None, ("a", "x")), Decision("D", "x", ("b",))], "own name"),
        ([Decision("D", None, ("a", "b")), Decision("E", "a", ("c",))], "Missing: a; not findings: c"),
    ],
)
def test_an_impossible_tree_is_refused_by_the_name_of_the_node(decisions: list[Decision], words: str) -> None:
    with pytest.raises(LabelError, match=words):
        Taxonomy("bad", AB, tuple(decisions))


def test_no_finding_needs_one_node_over_all_findings() -> None:
    space = LabelSpace("abn", ("a", "b", NO_FINDING))
    with pytest.raises(LabelError, match="needs one child"):
        Taxonomy("bad", space, (Decision("D", None, ("a", "b")),))


def test_unknown_nodes_and_decisions_are_named() -> None:
    with pytest.raises(LabelError, match="no node 'majority'"):
        STUDY.parent("majority")
    with pytest.raises(LabelError, match="no decision 'D'"):
        STUDY.columns("D")
    with pytest.raises(LabelError, match="no stored taxonomy"):
        Taxonomy.from_dict({"name": "x"})


def completions(tree: Taxonomy, row: Mapping[str, bool | None]) -> list[dict[str, bool]]:
    """Every way to fill in the unknown labels of a row (None) in which No Finding is the absence of all findings."""
    space = tree.label_space
    choices = [[False, True] if row[label] is None else [bool(row[label])] for label in space.labels]
    filled = [dict(zip(space.labels, values, strict=True)) for values in itertools.product(*choices)]
    if space.no_finding is None:
        return filled
    return [each for each in filled if each[NO_FINDING] != any(each[finding] for finding in space.findings)]


@st.composite
def partly_known(draw: st.DrawFn) -> tuple[Taxonomy, list[dict[str, bool | None]]]:
    """A tree, and rows of labels with unknown ones that some truth explains and a cohort would take."""
    tree = draw(trees())
    value = st.sampled_from([False, False, True, None, None])
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row: dict[str, bool | None] = {label: draw(value) for label in tree.label_space.labels}
        if NO_FINDING in row and any(row[finding] for finding in tree.label_space.findings):
            row[NO_FINDING] = False
        if completions(tree, row):
            rows.append(row)
    return tree, rows


@given(partly_known(), st.data())
@settings(max_examples=300)
def test_with_unknown_labels_a_node_is_known_where_all_completions_agree(
    case: tuple[Taxonomy, list[dict[str, bool | None]]], data: st.DataObject
) -> None:
    """Inner nodes are known exactly where every completion gives them one value; findings by their own label."""
    tree, rows = case
    shape = (len(rows), len(tree.label_space))
    known = np.array(
        [[row[label] is not None for label in tree.label_space.labels] for row in rows], dtype=bool
    ).reshape(shape)
    labels = np.array([[bool(row[label]) for label in tree.label_space.labels] for row in rows], dtype=bool).reshape(
        shape
    )
    behind = np.array(data.draw(st.lists(st.booleans(), min_size=labels.size, max_size=labels.size)), dtype=bool)
    labels |= behind.reshape(shape) & ~known  # what is behind an unknown label must not matter
    targets, told, mask = tree.targets(labels, known), tree.known(labels, known), tree.mask(labels, known)
    for number, row in enumerate(rows):
        ways = completions(tree, row)
        truth: dict[str, bool | None] = {}
        for node in tree.nodes:
            values = {holds(tree, node, way) for way in ways}
            inner = node not in tree.leaves
            truth[node] = (values.pop() if len(values) == 1 else None) if inner else row[node]
        for column, node in enumerate(tree.nodes):
            parent = tree.parent(node)
            assert told[number, column] == (truth[node] is not None), (node, row)
            assert targets[number, column] == bool(truth[node]), (node, row)
            asked = parent is None or truth[parent] is True
            assert mask[number, column] == (asked and truth[node] is not None), (node, row)


@given(trees(), st.data())
def test_where_all_is_known_nothing_changes(tree: Taxonomy, data: st.DataObject) -> None:
    width = len(tree.label_space)
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=6))
    labels = np.array(rows, dtype=bool)
    if tree.label_space.no_finding is not None:
        none = tree.label_space.index(NO_FINDING)
        labels[:, none] = ~np.delete(labels, none, axis=1).any(axis=1)
    everywhere = np.ones_like(labels)
    assert np.array_equal(tree.targets(labels, everywhere), tree.targets(labels))
    assert np.array_equal(tree.mask(labels, everywhere), tree.mask(labels))
    assert tree.known(labels).all()
    assert tree.known(labels, everywhere).all()


@pytest.mark.parametrize(
    ("seen", "unknown", "expected"),
    [
        # what is seen, what is unknown, and what is then known of 'finding', 'minority' and Hernia
        (["Hernia"], ["Mass"], (True, True, True)),
        (["No Finding"], ["Hernia", "Mass"], (False, False, None)),
        (["Mass"], ["Hernia"], (True, None, None)),
        ([], ["Hernia"], (True, True, None)),  # a finding there is, and no common one: it is a rare one
        ([], ["Hernia", "Mass"], (True, None, None)),
        ([], ["Hernia", "No Finding"], (None, None, None)),
        ([], ["No Finding"], (False, False, False)),
    ],
)
def test_what_is_known_along_the_studys_tree(
    seen: list[str], unknown: list[str], expected: tuple[bool | None, ...]
) -> None:
    labels, known = NIH15.encode(seen)[None], ~NIH15.encode(unknown)[None]
    targets, told = STUDY.targets(labels, known)[0], STUDY.known(labels, known)[0]
    columns = [STUDY.nodes.index(node) for node in ("finding", "minority", "Hernia")]
    assert tuple(bool(targets[c]) if told[c] else None for c in columns) == expected
