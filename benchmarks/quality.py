"""How well the quality control's checks of images do, on a data set of radiographs.

    python benchmarks/quality.py --data DIR [--step 4]
    python benchmarks/quality.py --data DIR --many 112120

Prints, for the images of a prepared data set that are taken to be sound:

- flat: how near the emptiest of them come to the thresholds.
- hashes and agreement: the closest pairs of different images, of two patients and of one.
- copies: the share found of each STEP-th image after a change, compared with its original.
- pose: the share found of all images turned or inverted, by a filter learned from other patients, and the false alarms.
- mirrored: why mirrored images are not looked for.
- cost (with --many, and nothing else): time and memory of all checks for N images mixed from those of the data set.

Without --data, on 300 drawn images, which are no radiographs.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.dataset import Dataset, prepare
from chestxpert.labels import NIH15
from chestxpert.pixels.manifest import create_pixels, write_manifest
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.quality import check_images
from chestxpert.quality.areas import area_averages
from chestxpert.quality.duplicates import MOST, RADIUS, WHOLE
from chestxpert.quality.flat import DEVIATION, LEVEL_SHARE
from chestxpert.quality.phash import BITS, phash
from chestxpert.quality.pose import INVERTED, TURNED, contrasts, judge, learn
from chestxpert.quality.same_picture import SIDE, agreement, details
from chestxpert.quality.scan import GRID, scan
from chestxpert.simulator import simulate

Images = npt.NDArray[np.uint8]
Change = Callable[[Images], Images]

CLOSE = 72  # bits: pairs compared in detail here, more than the check itself compares


def jpeg(quality: int, image: Images) -> Images:
    """Encode and decode."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def expose(gain: float, offset: float, gamma: float, image: Images) -> Images:
    """Change grey levels: (gain x level + offset), cut to what there is, to the power of gamma."""
    level = np.clip((image * gain + offset) / 255, 0, 1)
    return np.asarray(255 * level**gamma, dtype=np.uint8)


def crop(share: float, at: float, image: Images) -> Images:
    """Leave out a share of each side, all at the far end where `at` is 0, and enlarge the rest."""
    size = len(image)
    low, kept = size * share * at, size * (1 - share)
    box = (low, low, low + kept, low + kept)
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box))


def halved(image: Images) -> Images:
    """Half the size and back."""
    size = len(image)
    small = Image.fromarray(image).resize((size // 2, size // 2), Image.Resampling.BOX)
    return np.array(small.resize((size, size), Image.Resampling.BILINEAR))


def labelled(image: Images) -> Images:
    """A white plate of 9 x 4 % in a corner, as a marker or burnt-in text."""
    size, copy = len(image), image.copy()
    copy[size // 20 : size // 20 + size // 25, size // 20 : size // 20 + size // 11] = 255
    return copy


CHANGES: dict[str, Change] = {
    "JPEG of quality 50": partial(jpeg, 50),
    "JPEG of quality 20": partial(jpeg, 20),
    "half size and back": halved,
    "brighter by 20 %": partial(expose, 1.2, 0, 1),
    "darker by 20 % and 10 levels": partial(expose, 0.8, -10, 1),
    "gamma 0.7": partial(expose, 1, 0, 0.7),
    "gamma 1.4": partial(expose, 1, 0, 1.4),
    "a marker more": labelled,
    "crop of 1 %": partial(crop, 0.01, 0.5),
    "crop of 2 %": partial(crop, 0.02, 0.5),
    "crop of 2 % at one corner": partial(crop, 0.02, 0.0),
    "crop of 4 %": partial(crop, 0.04, 0.5),
    "crop of 6 %": partial(crop, 0.06, 0.5),
    "crop of 10 %": partial(crop, 0.1, 0.5),
}


def bits_of(images: Images) -> npt.NDArray[np.uint8]:
    """Hashes of images, a bit a column."""
    return np.unpackbits(phash(area_averages(images, GRID)), axis=1, count=BITS)


def details_of(images: Images) -> list[npt.NDArray[np.float32]]:
    """What images are compared by."""
    return list(details(area_averages(images, SIDE)))


def report_flat(data: Dataset) -> None:
    """Distance of sound images from the thresholds."""
    seen = scan(data.store, data.pixel_rows())
    print(f"flat: least deviation over areas {seen.deviations.min():.1f} (threshold {DEVIATION:.0f});", end=" ")
    print(f"largest share of a grey level {seen.level_shares.max():.2f} (threshold {LEVEL_SHARE})")


def report_pairs(images: Images, patients: npt.NDArray[np.object_]) -> None:
    """Closest pairs of different images."""
    signs = bits_of(images).astype(np.float32) * 2 - 1
    distances = ((BITS - signs @ signs.T) / 2).astype(int)
    first, second = np.triu_indices(len(images), 1)
    away, same = distances[first, second], patients[first] == patients[second]
    near = np.flatnonzero(away <= CLOSE)
    details = {image: details_of(images[[image]])[0] for image in np.unique([first[near], second[near]])}
    values = np.array([agreement(details[first[pair]], details[second[pair]]) for pair in near])
    for name, mine in (("two patients", ~same), ("one patient", same)):
        whole, most = np.sort(values[mine[near]], axis=0)[::-1][:3].T.round(3).tolist()
        candidates = int((away[mine] <= RADIUS).sum())
        print(
            f"pairs of {name}: {mine.sum():,}; hashes differ in {away[mine].min()} bits or more, "
            f"{candidates} in at most {RADIUS}; largest agreement {whole} (threshold {WHOLE}), "
            f"trimmed {most} (threshold {MOST})"
        )


def report_copies(images: Images) -> None:
    """Share of changed copies that are found."""
    bits, details = bits_of(images), details_of(images)
    print(f"copies: of {len(images)} images; found; bits that differ (median, most); least agreement (whole, trimmed)")
    for name, change in CHANGES.items():
        changed = np.stack([change(image) for image in images])
        away = (bits_of(changed) != bits).sum(axis=1)
        values = np.array([agreement(a, b) for a, b in zip(details, details_of(changed), strict=True)])
        found = ((away <= RADIUS) & (values >= (WHOLE, MOST)).any(axis=1)).mean()
        least, least_most = values.min(axis=0)
        print(f"  {name:<30}{found:7.1%}  {np.median(away):4.0f} {away.max():4d}  {least:.3f} {least_most:.3f}")


def halves(patients: npt.NDArray[np.object_]) -> list[npt.NDArray[np.bool_]]:
    """Masks of the images of each half of the patients."""
    people = np.random.default_rng(0).permutation(np.unique(patients))
    inside = np.isin(patients, people[: len(people) // 2])
    return [inside, ~inside]


def report_pose(thumbs: Images, patients: npt.NDArray[np.object_], ids: npt.NDArray[np.object_]) -> None:
    """Detection and false alarms, each image judged by a filter learned from other patients."""
    filters = [(half, learn(thumbs[~half])) for half in halves(patients)]
    for name, quarters, negative in (("as they are", 0, False), ("turned by 90", 1, False), ("by 180", 2, False),
                                     ("by 270", 3, False), ("inverted", 0, True)):  # fmt: skip
        turned = right = inverted = 0
        alarms: list[str] = []
        for half, upright in filters:
            posed = np.rot90(255 - thumbs[half] if negative else thumbs[half], -quarters, axes=(1, 2))
            poses = judge(np.ascontiguousarray(posed), upright)
            flagged = poses.turned >= TURNED
            turned, inverted = turned + int(flagged.sum()), inverted + int((poses.inverted >= INVERTED).sum())
            right += int((flagged & (poses.degrees == 90 * quarters)).sum())
            alarms += ids[half][flagged | (poses.inverted >= INVERTED)].tolist()
        shares = f"rotated {turned / len(thumbs):.2%} (by the right angle {right / len(thumbs):.2%}), "
        shares += f"inverted {inverted / len(thumbs):.2%}"
        print(f"pose: {name}: {shares}{': ' + ', '.join(alarms) if quarters == 0 and not negative else ''}")


def report_mirrored(thumbs: Images, patients: npt.NDArray[np.object_]) -> None:
    """How well the best linear filter for left and right tells images from their mirror images."""
    wrong = 0
    for half in halves(patients):
        sides = contrasts(thumbs) - contrasts(thumbs)[:, :, ::-1]
        flat = sides.reshape(len(sides), -1).astype(np.float64)
        known = flat[~half]
        covariance = np.cov(known.T)
        covariance += np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        wrong += int((flat[half] @ np.linalg.solve(covariance, known.mean(axis=0)) < 0).sum())
    print(f"mirrored: {wrong / len(thumbs):.1%} of sound images would be taken for mirrored")


def report_cost(images: Images, count: int, folder: Path) -> None:
    """Processor time and memory for many images: each the half of one over another, shifted."""
    rng, size = np.random.default_rng(0), images.shape[1]
    pixels = create_pixels(folder, count, size)
    for row in range(count):
        first, second = images[rng.integers(len(images), size=2)]
        pixels[row] = np.roll(first, rng.integers(-size // 16, size // 16, 2), (0, 1)) // 2 + second // 2
    pixels.flush()
    names = [f"{row}.png" for row in range(count)]
    write_manifest(folder, pd.DataFrame({"image_id": names, "width": size, "height": size}), Preprocess(size), "mixed")
    labels = np.tile(NIH15.encode(["No Finding"]), (count, 1))
    cohort = Cohort(make_table(names, names, labels, NIH15, split="train"), NIH15)
    store = ImageStore.open(folder)
    tracemalloc.start()
    started, clock = time.process_time(), time.perf_counter()
    found = check_images(cohort, store)
    seconds, wall = time.process_time() - started, time.perf_counter() - clock
    print(
        f"cost: {count:,} mixed images of {size} px: {seconds:.0f} s of processor time, {wall:.0f} s in all;", end=" "
    )
    print(f"{tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at the most; {len(found)} remarks")


def report(data: Dataset, step: int) -> None:
    """Print everything."""
    images: Images = np.array(data.store.pixels[data.pixel_rows()])
    patients = data.cohort.patients
    kind = "drawn images, no radiographs" if data.cohort.simulated else "images"
    print(f"{len(images)} {kind} of {data.cohort.n_patients()} patients, {data.store.size} px")
    report_flat(data)
    report_pairs(images, patients)
    report_copies(images[::step])
    thumbs = area_averages(images, 16).round().astype(np.uint8)
    report_pose(thumbs, patients, data.cohort.image_ids)
    report_mirrored(thumbs, patients)


def main() -> None:
    """Measure on a data set, or on drawn images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--step", type=int, default=4)
    parser.add_argument("--many", metavar="N", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.data
        if folder is None:
            simulate(Path(scratch) / "drawn", images=300, size=128)
            folder = Path(scratch) / "data"
            prepare(Path(scratch) / "drawn", folder, size=128)
        data = Dataset.load(folder)
        if arguments.many:
            report_cost(np.array(data.store.pixels), arguments.many, Path(scratch))
        else:
            report(data, arguments.step)


if __name__ == "__main__":
    main()
