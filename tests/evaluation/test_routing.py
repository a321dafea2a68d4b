from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chestxpert.evaluation.routing import found_by_decisions, lost_along_tree, node_confusion
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy


def random_case(tree: Taxonomy, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.zeros((150, 15), dtype=bool)
    truth[:, :14] = rng.random((150, 14)) < 0.1
    truth[:, 14] = ~truth[:, :14].any(axis=1)
    return truth, rng.random((150, len(tree.nodes))), rng.random(len(tree.nodes)) * 0.6


def test_found_and_lost_add_up_and_agree_with_the_route(tree: Taxonomy) -> None:
    truth, given_parent, cut = random_case(tree)
    routed = tree.route(given_parent, cut)
    for finding, entry in lost_along_tree(truth, given_parent, cut, tree).items():
        column = NIH15.index(finding)
        assert entry["n"] == truth[:, column].sum()
        assert entry["found"] == (truth & routed)[:, column].sum()
        assert entry["found"] + sum(entry["lost"].values()) == entry["n"]


def test_a_rare_finding_can_be_lost_at_each_of_three_decisions(tree: Taxonomy) -> None:
    """Hard routing asks three times for what a flat model asks once; each refusal is booked where it fell."""
    truth = np.repeat([NIH15.encode(["Hernia"])], 4, axis=0)
    given_parent = np.full((4, len(tree.nodes)), 0.9)
    path = [tree.nodes.index(node) for node in ("finding", "minority", "Hernia")]
    for row, node in enumerate(path):
        given_parent[row, node] = 0.1
    # The first image is refused at A and would be at B as well: it counts once, at A.
    given_parent[0, path[1]] = 0.1
    entry = lost_along_tree(truth, given_parent, np.full(len(tree.nodes), 0.5), tree)["Hernia"]
    assert entry == {"n": 4, "found": 1, "lost": {"A": 1, "B": 1, "C": 1}}


def test_a_common_finding_is_asked_for_twice(tree: Taxonomy) -> None:
    truth = np.array([NIH15.encode(["Effusion"])])
    entry = lost_along_tree(truth, np.zeros((1, len(tree.nodes))), np.full(len(tree.nodes), 0.5), tree)["Effusion"]
    assert entry == {"n": 1, "found": 0, "lost": {"A": 1, "B": 0}}


def test_flat_decisions_have_the_found_share_alone() -> None:
    truth = np.array([NIH15.encode(["Mass", "Edema"]), NIH15.encode(["Mass"])])
    decided = np.array([NIH15.encode(["Mass"]), NIH15.encode(["Edema"])])
    found = found_by_decisions(truth, decided, NIH15)
    assert found["Mass"] == {"n": 2, "found": 1, "lost": {}}
    assert found["Edema"] == {"n": 1, "found": 0, "lost": {}}
    assert "No Finding" not in found


def test_node_confusion_counts_every_image_once(tree: Taxonomy) -> None:
    truth, given_parent, cut = random_case(tree, 1)
    nodes = node_confusion(truth, given_parent, cut, tree)
    no_finding = truth[:, NIH15.index("No Finding")]
    assert nodes["finding"]["decision"] == "A"
    assert nodes["finding"]["given_parent"] == nodes["finding"]["routed"]
    for entry in nodes.values():
        assert sum(entry["routed"].values()) == len(truth)
    assert sum(nodes["minority"]["given_parent"].values()) == (~no_finding).sum()


def test_routed_counts_need_the_whole_path(tree: Taxonomy) -> None:
    truth = np.array([NIH15.encode(["Hernia"])])
    given_parent = np.ones((1, len(tree.nodes)))
    given_parent[0, tree.nodes.index("minority")] = 0.0
    entry = node_confusion(truth, given_parent, np.full(len(tree.nodes), 0.5), tree)["Hernia"]
    assert entry["given_parent"] == {"tp": 1, "fp": 0, "fn": 0, "tn": 0}
    assert entry["routed"] == {"tp": 0, "fp": 0, "fn": 1, "tn": 0}


def test_an_image_is_no_case_of_a_finding_that_it_is_not_known_to_carry(
    tree: Taxonomy, hide: Callable[..., np.ndarray]
) -> None:
    truth, given_parent, cut = random_case(tree, 2)
    known = hide(truth, NIH15, 0.3)
    routed = tree.route(given_parent, cut)
    seen = truth & known
    for finding, entry in lost_along_tree(truth, given_parent, cut, tree, known).items():
        column = NIH15.index(finding)
        assert entry["n"] == seen[:, column].sum() < truth[:, column].sum()
        assert entry["found"] == (seen & routed)[:, column].sum()
        assert entry["found"] + sum(entry["lost"].values()) == entry["n"]
    assert found_by_decisions(truth, routed, NIH15, known) == found_by_decisions(seen, routed, NIH15)
    hidden = truth ^ ~known
    assert lost_along_tree(hidden, given_parent, cut, tree, known) == lost_along_tree(
        truth, given_parent, cut, tree, known
    )


def test_node_confusion_counts_the_images_that_tell(tree: Taxonomy, hide: Callable[..., np.ndarray]) -> None:
    truth, given_parent, cut = random_case(tree, 3)
    known = hide(truth, NIH15, 0.3)
    nodes = node_confusion(truth, given_parent, cut, tree, known)
    assert nodes == node_confusion(truth ^ ~known, given_parent, cut, tree, known)
    told, mask, holds = tree.known(truth, known), tree.mask(truth, known), tree.targets(truth, known)
    for column, node in enumerate(tree.nodes):
        entry = nodes[node]
        assert sum(entry["routed"].values()) == told[:, column].sum() < len(truth)
        assert sum(entry["given_parent"].values()) == mask[:, column].sum()
        own = given_parent[:, column] >= cut[column]
        assert entry["given_parent"]["tp"] == (own & holds[:, column] & mask[:, column]).sum()
        assert entry["given_parent"]["fp"] == (own & ~holds[:, column] & mask[:, column]).sum()
