"""Tables of the page: contrasts, box rules beside each other, and what was and was not measured."""

from __future__ import annotations

from typing import Any

from chestxpert.evaluation.localization.contrasts import TESTED, is_shown
from chestxpert.evaluation.localization.measure import USUAL
from chestxpert.report.figure import Table
from chestxpert.report.localization.stored import Stored
from chestxpert.report.scales import UNDEFINED, decimal, grouped, p_value, signed

_NAMES = {"pointing": "pointing game", "energy": "mass in the boxes"}
_AT = (0.1, 0.25, 0.5, 0.7)


def measure_name(measure: str) -> str:
    """Words for a measure: ``T(IoU) = 0.5`` for ``iou@0.5``."""
    overlap, _, at = measure.partition("@")
    return _NAMES.get(measure) or f"found, T({'IoU' if overlap == 'iou' else 'IoBB'}) = {at}"


def contrast_table(stored: Stored) -> Table:
    """Every contrast of the mean over findings."""
    rows = []
    for entry in stored.result["contrasts"]:
        ends = UNDEFINED if entry["low"] is None else f"[{signed(entry['low'])}, {signed(entry['high'])}]"
        shown = "difference shown" if is_shown(entry) else "no difference shown"
        rows.append(
            [
                f"{entry['a']} less {entry['b']}", measure_name(entry["measure"]), signed(entry["difference"]), ends,
                p_value(entry["p_adjusted"]), shown,
            ]
        )  # fmt: skip
    head = ["lines", "measure", "difference", "95 % interval", "p, Holm", ""]
    return Table(head, rows, words=2, note="Differences on the same cases, mean over findings")


def finding_contrasts(stored: Stored) -> Table:
    """The pointing game by finding, of every contrast."""
    rows = []
    for entry in stored.result["contrasts"]:
        for finding, each in entry["findings"].items() if entry["measure"] == TESTED[0] else ():
            ends = UNDEFINED if each["low"] is None else f"[{signed(each['low'])}, {signed(each['high'])}]"
            shown = "difference shown" if is_shown(each) else "no difference shown"
            lines = f"{entry['a']} less {entry['b']}"
            rows.append(
                [finding.replace("_", " "), lines, signed(each["difference"]), ends, p_value(each["p_adjusted"]), shown]
            )
    head = ["finding", "lines", "difference", "95 % interval", "p, Holm", ""]
    return Table(head, rows, words=2, note="Pointing game by finding; p adjusted for the number of findings")


def rules_table(stored: Stored) -> Table:
    """Mean over findings of the boxes found under every rule."""
    at = stored.result["settings"]["thresholds"]
    rows = []
    for name in [*stored.names, USUAL]:
        for rule, found in stored.result["sweep"][name].items():
            mark = " *" if rule == stored.result["settings"]["rule"] else ""
            cells = [decimal(found[overlap][at.index(t)]) for overlap in ("iou", "iobb") for t in _AT]
            rows.append([name, rule + mark, *cells])
    head = ["line", "rule", *(f"{t:g}" for t in _AT), *(f"{t:g}" for t in _AT)]
    groups = [("", 2), ("T(IoU)", len(_AT)), ("T(IoBB)", len(_AT))]
    return Table(head, rows, words=2, note="Share of boxes found, mean over findings; * the chosen rule", groups=groups)


def facts_of(stored: Stored) -> Table:
    """Where this comes from, as names and values."""
    result = stored.result
    boxes, settings, data = result["boxes"], result["settings"], result["data"]
    sides = ", ".join(f"{grouped(count)} {split}" for split, count in boxes["by_split"].items())
    rows = [
        ["data set", f"{data['folder']} (cohort {data['cohort']}, pixels {data['store']})"],
        ["boxes", f"{grouped(boxes['boxes'])}: {sides}"],
        ["measured", f"split '{result['split']}': {grouped(boxes['cases'])} findings on images"],
        ["compared", f"{grouped(boxes['compared'])} of them, of {grouped(result['patients'])} patients"],
        ["boxes without the label", grouped(boxes["unlabelled"])],
        ["boxes cut away by the store", grouped(boxes["outside"])],
        ["maps cover", f"the {result['covers']} image"],
        ["boxes from maps by", settings["rule"]],
        ["tolerance of the pointing game", f"{settings['tolerance']:g} of 1024 pixels"],
        ["maps brought to", "measured as they are" if settings["side"] is None else f"{settings['side']} cells a side"],
        ["bootstrap", f"{grouped(settings['draws'])} draws over patients, seed {settings['seed']}"],
        *([f"maps {name}", _maps_words(told)] for name, told in result["maps"].items()),
    ]
    return Table(["", ""], rows)


def _maps_words(told: dict[str, Any]) -> str:
    parts = [
        f"{told['place']}; {told['method'] or 'method not told'}; {told['made_by'] or 'maker not told'}",
        f"{grouped(told['maps'])} maps of {told['height']} x {told['width']} cells, {grouped(told['usable'])} used",
        f"{grouped(told['other'])} are of no measured box",
    ]
    if told["unknown_findings"]:
        parts.append(f"unknown findings {', '.join(told['unknown_findings'])}")
    return "; ".join(parts)


def left_out(stored: Stored, most: int = 200) -> Table:
    """Cases without a usable map, by folder."""
    rows = [
        [name, finding.replace("_", " "), image_id, words]
        for name, told in stored.result["maps"].items()
        for key, words in (("missing", "no map"), ("not_finite", "values that are not finite"))
        for image_id, finding in told[key]
    ]
    note = "Left out of every line" + (f"; {len(rows) - most:,} more in localization.json" if len(rows) > most else "")
    return Table(["maps", "finding", "image", "reason"], rows[:most], words=4, note=note)
