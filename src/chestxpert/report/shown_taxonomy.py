"""A taxonomy on its own, with the training images of each node: for the terminal, as an SVG, as its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.labels import label_space
from chestxpert.report.canvas import Canvas
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped
from chestxpert.taxonomy import NodeCounts, Taxonomy, draw_tree, taxonomy, taxonomy_to_yaml
from chestxpert.taxonomy.draw import BOXES, PLAIN_BOXES, node_words, places

Format = Literal["text", "svg", "yaml"]

ROW, INDENT, TEXT, BAR = 22.0, 22.0, 7.6, 180.0
"""Pixels: height of a row, indent of a level, width of a letter, length of the longest bar."""

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #16202a } .count { fill: #586674 } .inner { font-weight: 600 }
.rail { stroke: #96a4b1 } .bar { fill: #1668b0 } .holds { fill: #c64f17 }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9ee } .count { fill: #96a4b1 } .bar { fill: #62aef2 } .holds { fill: #f78f58 }
}
"""


@dataclass(frozen=True, eq=False)
class ShownTaxonomy:
    """A tree, and what it was counted on (None: nothing)."""

    tree: Taxonomy
    counts: NodeCounts | None = None
    simulated: bool = False

    @classmethod
    def over(cls, name: str, labels: str) -> ShownTaxonomy:
        """The taxonomy called `name` over a built-in label space, without counts; LabelError if there is none."""
        return cls(taxonomy(name, label_space(labels)))

    @classmethod
    def counted(cls, name: str, folder: Path) -> ShownTaxonomy:
        """The taxonomy called `name` over a data set, counted on its training images; LabelError if there is none."""
        cohort = Dataset.load(folder).cohort
        tree, rows = cohort_taxonomy(name, cohort), cohort.rows("train")
        return cls(tree, NodeCounts.of(tree, cohort.labels(rows), cohort.known(rows)), cohort.simulated)

    def drawn(self, form: Format, encoding: str | None = "utf-8") -> str:
        """The tree as `form`; text is drawn with what `encoding` has, lines or plain signs."""
        if form == "yaml":
            return taxonomy_to_yaml(self.tree).rstrip()
        if form == "svg":
            return str(self._svg())
        text = draw_tree(self.tree, self.counts, boxes=BOXES if _has_lines(encoding) else PLAIN_BOXES)
        return f"{self.title}\n\n{text}"

    @property
    def title(self) -> str:
        """Name, label space, size and what was counted."""
        tree = self.tree
        depths = [level for node, level in zip(tree.nodes, tree.levels, strict=True) if node in tree.leaves]
        depth = f"depth {depths[0]}" if len(set(depths)) == 1 else f"depths {min(depths)} to {max(depths)}"
        decisions = f"{len(tree.decisions)} decision{'s' if len(tree.decisions) > 1 else ''}"
        words = f"{tree.name}: {decisions} over {tree.label_space.name}, {len(tree.leaves)} findings at {depth}"
        if self.counts is None:
            return words
        kind = "SIMULATED training images, no radiographs" if self.simulated else "training images"
        return f"{words}; {self.counts.images:,} {kind}"

    def _svg(self) -> Markup:
        tree, rows = self.tree, list(places(self.tree))
        words = [finding_name(p.node) if p.node in tree.leaves else node_words(tree, p.node) for p in rows]
        left = max(INDENT * len(p.rails) + TEXT * len(w) for p, w in zip(rows, words, strict=True)) + 24
        canvas = Canvas(max(left + (BAR + 80 if self.counts else 0), TEXT * len(self.title)), ROW * (len(rows) + 2.5))
        canvas.text(4, ROW * 0.75, self.title, "count")
        canvas.text(4, ROW * 1.75, node_words(tree, None), "inner")
        for number, (place, name) in enumerate(zip(rows, words, strict=True), start=2):
            y, x = ROW * (number + 0.75), INDENT * len(place.rails)
            below = [other for other, p in enumerate(rows, start=2) if tree.parent(p.node) == place.node]
            canvas.line(x - INDENT + 9, y - 4, x, y - 4, "rail")
            canvas.text(x + 4, y, name, "" if place.node in tree.leaves else "inner")
            if below:
                canvas.line(x + 9, y + 4, x + 9, ROW * (below[-1] + 0.75) - 4, "rail")
            if self.counts is not None:
                self._bar(canvas, self.counts, place.column, left, y)
        top = [number for number, p in enumerate(rows, start=2) if len(p.rails) == 1]
        canvas.line(9, ROW * 1.75 + 4, 9, ROW * (top[-1] + 0.75) - 4, "rail")
        start, end = canvas.svg(self.title).split(">", 1)
        return start + Markup(' xmlns="http://www.w3.org/2000/svg"><style>{}</style>').format(Markup(_STYLE)) + end

    def _bar(self, canvas: Canvas, counts: NodeCounts, column: int, left: float, y: float) -> None:
        holds, asked = int(counts.holds[column]), int(counts.asked[column])
        length = BAR * holds / max(counts.images, 1)
        tip = f"{holds:,} of {asked:,} images where its parent holds"
        canvas.rect(
            left, y - 11, length, 13, "bar" if self.tree.nodes[column] in self.tree.leaves else "holds", tip=tip
        )
        canvas.text(left + length + 6, y, grouped(holds), "count")


def _has_lines(encoding: str | None) -> bool:
    try:
        "".join(BOXES).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
