"""Taxonomies: trees over a LabelSpace, from short YAML files or computed from training counts.

`tree` is what a tree does (targets, masks, marginals, routing), `parse` how one is written, `choose` which there are.
"""

from chestxpert.taxonomy.choose import builtin_taxonomies, study_taxonomy, taxonomies_folder, taxonomy
from chestxpert.taxonomy.computed import MAJORITY, majority_taxonomy
from chestxpert.taxonomy.decisions import Decision
from chestxpert.taxonomy.draw import NodeCounts, draw_tree
from chestxpert.taxonomy.parse import parse_taxonomy, taxonomy_to_yaml
from chestxpert.taxonomy.tree import Taxonomy

__all__ = [
    "MAJORITY",
    "Decision",
    "NodeCounts",
    "Taxonomy",
    "builtin_taxonomies",
    "draw_tree",
    "majority_taxonomy",
    "parse_taxonomy",
    "study_taxonomy",
    "taxonomies_folder",
    "taxonomy",
    "taxonomy_to_yaml",
]
