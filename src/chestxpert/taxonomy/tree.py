"""The tree over a LabelSpace: its training targets and masks, its marginals and its hard routing.

A *decision* asks, where its parent node holds, which of its children hold too. Findings are not exclusive, so a
decision is one Bernoulli variable a child and not a softmax. With ``q(v)`` the probability of node ``v`` given
its parent, the probability of a finding is the product of ``q`` along its path from the root, added up in log
space (Redmon and Farhadi, YOLO9000, CVPR 2017, section 4; Chen et al., Deep hierarchical multi-label
classification of chest X-ray images, MIDL 2019, equation 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.errors import LabelError
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy.decisions import Decision, check_tree

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Taxonomy:
    """A tree over the findings of a label space.

    Parameters
    ----------
    name : str
    label_space : LabelSpace
    decisions : tuple of Decision
        Parents before children. Exactly one decision has no parent. If the label space has a `no_finding`, that
        decision has one child, the node 'any finding', whose absence it is.

    Raises
    ------
    LabelError
        If a finding is missing or stands twice, a parent is unknown, or a decision asks nothing; the message names
        the node.
    """

    name: str
    label_space: LabelSpace
    decisions: tuple[Decision, ...]

    def __post_init__(self) -> None:
        check_tree(self.name, self.label_space, self.decisions)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Every node below the root: the children of each decision, in order (M of them)."""
        return tuple(node for decision in self.decisions for node in decision.children)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The nodes that are findings, in node order."""
        inner = {decision.parent for decision in self.decisions}
        return tuple(node for node in self.nodes if node not in inner)

    def decision_of(self, node: str) -> Decision:
        """The decision that has `node` among its children; LabelError if there is none."""
        for decision in self.decisions:
            if node in decision.children:
                return decision
        raise LabelError(f"Taxonomy '{self.name}' has no node '{node}'. It has: {', '.join(self.nodes)}.")

    def parent(self, node: str) -> str | None:
        """The node above `node`, or None just below the root."""
        return self.decision_of(node).parent

    def ancestors(self, node: str) -> tuple[str, ...]:
        """Nodes above `node`, nearest the root first, without `node` itself."""
        parent = self.parent(node)
        return () if parent is None else (*self.ancestors(parent), parent)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """(M,) depth of each node in node order: 1 just below the root, one more a decision further down."""
        return tuple(len(self.ancestors(node)) + 1 for node in self.nodes)

    def findings_below(self, node: str) -> tuple[str, ...]:
        """The findings at or below `node`, in label order; LabelError if there is no such node."""
        self.decision_of(node)
        return tuple(f for f in self.label_space.findings if f == node or node in self.ancestors(f))

    def columns(self, decision: str) -> slice:
        """Columns of the decision called `decision` in every (N, M) array over `nodes`."""
        start = 0
        for candidate in self.decisions:
            if candidate.name == decision:
                return slice(start, start + len(candidate.children))
            start += len(candidate.children)
        raise LabelError(f"Taxonomy '{self.name}' has no decision '{decision}'.")

    @cached_property
    def _paths(self) -> npt.NDArray[np.float64]:
        """(M, M): row v is 1 at v and at each of its ancestors."""
        paths = np.zeros((len(self.nodes), len(self.nodes)))
        for row, node in enumerate(self.nodes):
            for other in (*self.ancestors(node), node):
                paths[row, self.nodes.index(other)] = 1.0
        return paths

    @cached_property
    def _columns_below_root(self) -> list[tuple[int, int]]:
        """Column of each node that has a parent, and that parent's column; parents before their children."""
        parents = [(column, self.parent(node)) for column, node in enumerate(self.nodes)]
        return [(column, self.nodes.index(parent)) for column, parent in parents if parent is not None]

    @cached_property
    def _finding_columns(self) -> list[int]:
        """For each finding in label order, its column among `nodes`."""
        return [self.nodes.index(finding) for finding in self.label_space.findings]

    @cached_property
    def _inner_columns(self) -> list[tuple[int, int, list[int]]]:
        """Column of each inner node below the root's children, its parent's, and its siblings'; parents first."""
        inner = {decision.parent for decision in self.decisions}
        found = []
        for decision in self.decisions[1:]:
            children = [self.nodes.index(child) for child in decision.children]
            for column in children:
                if self.nodes[column] in inner:
                    siblings = [other for other in children if other != column]
                    found.append((column, self.nodes.index(str(decision.parent)), siblings))
        return found

    def targets(self, labels: BoolArray, known: BoolArray | None = None) -> BoolArray:
        """Whether each node holds: a finding where it is labelled, an inner node where any finding below it is.

        Parameters
        ----------
        labels : (N, K) bool array in label order
        known : (N, K) bool array, optional
            Where the labels are known; everywhere by default. What `labels` says elsewhere does not matter.

        Returns
        -------
        (N, M) bool array in node order; False where it is not known whether the node holds (see `known`).
        """
        return self._any_below(labels) if known is None else self._settle(labels, known)[0]

    def known(self, labels: BoolArray, known: BoolArray | None = None) -> BoolArray:
        """Whether it is known of each node if it holds, from labels of which some are unknown.

        A finding is known where its own label is, and nowhere else: no unknown label is ever reasoned into a yes or a
        no. An inner node has no label; it is known where all ways to fill in the unknown labels agree on it. So it
        holds where a finding below it does, and where its parent holds and all its siblings do not; it does not hold
        where no finding below it does, and where its parent does not. The root's child is known wherever No Finding
        is.

        Parameters
        ----------
        labels : (N, K) bool array in label order
        known : (N, K) bool array, optional
            Where the labels are known; everywhere by default.

        Returns
        -------
        (N, M) bool array in node order
        """
        if known is None:
            return np.ones((len(labels), len(self.nodes)), dtype=np.bool_)
        holds, fails = self._settle(labels, known)
        return holds | fails

    def mask(self, labels: BoolArray, known: BoolArray | None = None) -> BoolArray:
        """(N, M) bool: where each decision is asked, its parent known to hold and its answer known (see `known`)."""
        targets = self.targets(labels, known)
        mask = np.ones_like(targets)
        for decision in self.decisions:
            if decision.parent is not None:
                parent = targets[:, self.nodes.index(decision.parent)]
                mask[:, self.columns(decision.name)] = parent[:, None]
        return mask if known is None else mask & self.known(labels, known)

    def _any_below(self, labels: BoolArray) -> BoolArray:
        """(N, M): whether the node is a labelled finding, or has one below it."""
        leaves = np.zeros((len(labels), len(self.nodes)), dtype=np.bool_)
        for finding, column in zip(self.label_space.findings, self._finding_columns, strict=True):
            leaves[:, column] = labels[:, self.label_space.labels.index(finding)]
        return np.asarray(leaves @ self._paths > 0)

    def _settle(self, labels: BoolArray, known: BoolArray) -> tuple[BoolArray, BoolArray]:
        """(N, M) twice: where each node is known to hold, and where it is known not to."""
        holds, fails = self._any_below(labels & known), ~self._any_below(labels | ~known)
        if self.label_space.no_finding is not None and self.nodes[0] not in self.leaves:
            none = self.label_space.labels.index(self.label_space.no_finding)
            holds[:, 0] |= known[:, none] & ~labels[:, none]
            fails[:, 0] |= known[:, none] & labels[:, none]
        # Down the tree, what is known of a parent settles its inner children; a finding is known by its label alone.
        for column, parent, siblings in self._inner_columns:
            holds[:, column] |= holds[:, parent] & fails[:, siblings].all(axis=1)
            fails[:, column] |= fails[:, parent]
        return holds, fails

    def log_marginals(self, logits: npt.ArrayLike) -> FloatArray:
        """Log-probability of each label from the logits of the conditional probabilities.

        Parameters
        ----------
        logits : (N, M) array of real numbers in node order

        Returns
        -------
        (N, K) float64 array in label order, each at most 0; no finding is ever likelier than a node above it.
        """
        values = np.asarray(logits, dtype=np.float64)
        log_nodes = -np.logaddexp(0.0, -values)
        # Down the tree, one sum a node: adding a number that is at most 0 never rounds a child above its parent.
        for column, above in self._columns_below_root:
            log_nodes[:, column] += log_nodes[:, above]
        result = np.empty((len(values), len(self.label_space)))
        for finding, column in zip(self.label_space.findings, self._finding_columns, strict=True):
            result[:, self.label_space.labels.index(finding)] = log_nodes[:, column]
        if self.label_space.no_finding is not None:
            # log(1 - sigmoid(x)) = log sigmoid(-x), exact where 1 - p would cancel.
            result[:, self.label_space.labels.index(self.label_space.no_finding)] = -np.logaddexp(0.0, values[:, 0])
        return result

    def marginals(self, logits: npt.ArrayLike) -> FloatArray:
        """(N, K) float64 probabilities: the exponential of `log_marginals`."""
        return np.exp(self.log_marginals(logits))

    def marginals_from_conditionals(self, conditionals: npt.ArrayLike) -> FloatArray:
        """(N, K) probabilities from (N, M) conditional probabilities in [0, 1]; for stored predictions."""
        given = np.array(conditionals, dtype=np.float64)
        for column, above in self._columns_below_root:
            given[:, column] *= given[:, above]
        result = np.empty((len(given), len(self.label_space)))
        for finding, column in zip(self.label_space.findings, self._finding_columns, strict=True):
            result[:, self.label_space.labels.index(finding)] = given[:, column]
        if self.label_space.no_finding is not None:
            result[:, self.label_space.labels.index(self.label_space.no_finding)] = 1.0 - given[:, 0]
        return result

    def route(self, conditionals: npt.ArrayLike, thresholds: npt.ArrayLike) -> BoolArray:
        """Decisions by hard routing: a decision is asked only where its parent was decided to hold.

        Parameters
        ----------
        conditionals : (N, M) array of probabilities in [0, 1]
        thresholds : (M,) array; a node is on from its threshold upwards, if its parent is on

        Returns
        -------
        (N, K) bool array in label order; no finding holds exactly where the root's child is off.
        """
        own = np.asarray(conditionals) >= np.asarray(thresholds)
        on = (own.astype(np.float64) @ self._paths.T) >= self._paths.sum(axis=1)
        result = np.zeros((len(own), len(self.label_space)), dtype=np.bool_)
        for finding, column in zip(self.label_space.findings, self._finding_columns, strict=True):
            result[:, self.label_space.labels.index(finding)] = on[:, column]
        if self.label_space.no_finding is not None:
            result[:, self.label_space.labels.index(self.label_space.no_finding)] = ~on[:, 0]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back, for JSON and parquet metadata."""
        return {
            "name": self.name,
            "label_space": self.label_space.to_dict(),
            "decisions": [{"name": d.name, "parent": d.parent, "children": list(d.children)} for d in self.decisions],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Taxonomy:
        """Taxonomy written by `to_dict`; LabelError if a part is missing."""
        try:
            decisions = tuple(Decision(str(d["name"]), d["parent"], tuple(d["children"])) for d in values["decisions"])
            return cls(str(values["name"]), LabelSpace.from_dict(values["label_space"]), decisions)
        except (KeyError, TypeError) as error:
            raise LabelError(f"This is no stored taxonomy ({error!r}). Was the file made elsewhere?") from error
