"""Images that stand on their side or head, or have black and white exchanged.

What a chest looks like is learned from the cohort itself: one filter that answers to an upright radiograph and not to
a turned or inverted one. An image is flagged if it answers clearly better after a quarter turn, a half turn or an
inversion than as it is. Mirrored images are not looked for: see docs/quality.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.quality.remarks import about_check, remarks

LEAST = 50
"""Fewer images than this say too little about what a chest looks like."""
TURNED, INVERTED = 0.25, 0.25
"""How much better another pose must answer, in units of the mean answer of the cohort."""

COMMON = 0.8
"""Share of one half of the images that must seem upright to a filter learned from the other half; by chance 0.125."""

_FIT = 4096  # images that the filter is learned from, evenly spread; more change nothing
_PIECE = 8192

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Poses:
    """How N images seem to stand.

    Parameters
    ----------
    degrees : int64 array of shape (N,)
        0, 90, 180 or 270: by how much the image seems turned, clockwise.
    turned : float32 array of shape (N,)
        How much better it answers when turned back; negative if upright fits best.
    inverted : float32 array of shape (N,)
        How much better it answers when inverted.
    """

    degrees: npt.NDArray[np.int64]
    turned: Floats
    inverted: Floats


def pose_remarks(
    image_ids: npt.NDArray[np.object_], thumbs: npt.NDArray[np.uint8], usable: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Remarks on turned and inverted images.

    Parameters
    ----------
    image_ids : object array of shape (N,)
    thumbs : uint8 array of shape (N, 16, 16)
    usable : bool array of shape (N,)
        Images that show something.
    """
    rows = np.flatnonzero(usable)
    if why := _cannot_be_told(thumbs[rows]):
        return pd.concat([about_check("rotated", why), about_check("inverted", why)], ignore_index=True)
    poses = judge(thumbs[rows], learn(thumbs[rows]))
    turned, inverted = poses.turned >= TURNED, poses.inverted >= INVERTED
    ids = image_ids[rows]
    facts = zip(poses.degrees[turned], poses.turned[turned], strict=True)
    details = [f"It seems turned by {degrees} degrees, clockwise; margin {margin:.2f}." for degrees, margin in facts]
    negatives = [f"It seems to be a negative; margin {margin:.2f}." for margin in poses.inverted[inverted]]
    return pd.concat(
        [
            remarks("rotated", ids[turned], details, value=poses.degrees[turned].astype(np.float64)),
            remarks("inverted", ids[inverted], negatives, value=poses.inverted[inverted]),
        ],
        ignore_index=True,
    )


def _cannot_be_told(thumbs: npt.NDArray[np.uint8]) -> str:
    """Why poses cannot be judged, "" if they can: half of the images must predict how the other half stands."""
    if len(thumbs) < LEAST:
        return f"Not made: {len(thumbs)} images are too few to learn from what a chest looks like; it takes {LEAST}."
    poses = judge(thumbs[1::2], learn(thumbs[::2]))
    upright = float(((poses.turned < 0) & (poses.inverted < 0)).mean())
    if upright < COMMON:
        return f"Not made: the images have no pose in common; only {upright:.0%} of them stand as the others do."
    return ""


def learn(thumbs: npt.NDArray[np.uint8]) -> Floats:
    """Filter that answers to what most of these images have in common.

    It is learned without odd ones, which at first the median image finds, and then the filter itself.

    Parameters
    ----------
    thumbs : uint8 array of shape (N, 16, 16)
        Most of them upright.

    Returns
    -------
    float32 array of shape (16, 16)
        Symmetric left and right. The mean answer of the images, their inner product with it, is 1.
    """
    some = thumbs[:: -(-len(thumbs) // _FIT)]
    images = contrasts(some)
    found = _scaled(np.median(images, axis=0), images)
    for _ in range(2):
        poses = judge(some, found)
        upright = images[(poses.turned < TURNED) & (poses.inverted < INVERTED)]
        found = _filter(upright if len(upright) >= len(images) / 2 else images)
    return found


def _scaled(upright: npt.NDArray[np.floating], images: Floats) -> Floats:
    """Filter made symmetric, and scaled so that the mean answer of the images is 1."""
    upright = (upright + upright[:, ::-1]) / 2
    return np.asarray(upright / (upright * images.mean(axis=0)).sum(), dtype=np.float32)


def _filter(images: Floats) -> Floats:
    """Linear discriminant between upright images and the same turned or inverted, shrunk towards their mean.

    Turned and inverted copies share one covariance, and all classes but the upright one cancel but for a multiple of
    its mean; so Fisher's discriminant is that mean, divided by the covariance over all quarter turns. (Fisher, Annals
    of Eugenics 7, 1936; shrunk as in Friedman, JASA 84, 1989, eq. 18, with gamma = 1/2.)
    """
    side = images.shape[1]
    mean = images.mean(axis=0)
    spread = images - mean
    covariance = np.zeros((side * side, side * side), dtype=np.float64)
    for quarter in range(4):
        flat = np.rot90(spread, quarter, axes=(1, 2)).reshape(len(images), -1)
        covariance += flat.T @ flat / len(images) / 4
    covariance += np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    found = np.linalg.solve(covariance, mean.ravel().astype(np.float64)).reshape(side, side)
    return _scaled(found, images)


def judge(thumbs: npt.NDArray[np.uint8], upright: Floats) -> Poses:
    """How images seem to stand, by a filter of `learn`."""
    answers = np.concatenate(
        [_answers(contrasts(thumbs[start : start + _PIECE]), upright) for start in range(0, len(thumbs), _PIECE)]
    )
    inverted = (-answers).max(axis=1) - answers.max(axis=1)
    answers[inverted >= INVERTED] *= -1
    quarters = answers.argmax(axis=1)
    turned = answers[:, 1:].max(axis=1) - answers[:, 0]
    return Poses(np.where(turned > 0, 90 * quarters, 0), turned, inverted)


def _answers(images: Floats, upright: Floats) -> Floats:
    """Answer of every image to the filter when turned back by 0, 90, 180, 270 degrees, shape (n, 4)."""
    turns = np.stack([np.rot90(upright, -quarter).ravel() for quarter in range(4)], axis=1)
    return np.asarray(images.reshape(len(images), -1) @ turns, dtype=np.float32)


def contrasts(thumbs: npt.NDArray[np.uint8]) -> Floats:
    """Images without brightness and contrast: cut at their 2nd and 98th percentile, of mean 0 and norm 1."""
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    low, high = np.quantile(flat, [0.02, 0.98], axis=1).astype(np.float32)
    cut = np.clip(flat, low[:, None], high[:, None])
    cut -= cut.mean(axis=1, keepdims=True)
    cut /= np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-6)
    return cut.reshape(thumbs.shape)
