"""Which row of a table an image file belongs to.

Tables name images in many ways: by file name (NIH), by a relative path whose last part repeats in a thousand folders
(CheXpert's ``.../patient00001/study1/view1_frontal.jpg``), or without extension (VinDr-CXR, MIMIC-CXR-JPG).
"""

from __future__ import annotations

from collections.abc import Iterable

SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff", ".bmp", ".gif", ".webp")


def path_parts(path: str) -> tuple[str, ...]:
    """Parts of a path in either slash, without empty ones and dots."""
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def without_suffix(name: str) -> str:
    """File name without an image's suffix. A dot inside a DICOM identifier (``1.2.840.113619``) is none."""
    lowered = name.lower()
    return next((name[: -len(end)] for end in SUFFIXES if lowered.endswith(end) and len(name) > len(end)), name)


class ImageNames:
    """Finds the image id that a path belongs to.

    A path belongs to an id if its last parts are the id's parts, all of them. The first folder of the ids may have
    another name on disk if all ids share it (``CheXpert-v1.0-small``). The longest id that fits is taken; of two
    equally long ones, that with the file's own suffix. A path never belongs to an id that says more of its place than
    the path itself does: ``view1_frontal.jpg`` alone is nobody's.

    Parameters
    ----------
    image_ids : iterable of str
        Of all rows; the same id twice counts once.
    by_stem : bool
        Whether suffixes may differ: ``a.jpg`` on disk for ``a.png`` or ``a`` in the table. NIH's rule, the bare file
        name, is ``by_stem=False`` over bare file names.
    """

    def __init__(self, image_ids: Iterable[str], *, by_stem: bool = True) -> None:
        ids = list(dict.fromkeys(image_ids))
        places = {image_id: path_parts(image_id) for image_id in ids}
        firsts = {parts[0] for parts in places.values() if len(parts) > 1}
        # What is left must still tell folders apart, or 'study1/view1.jpg' of any patient would do.
        folders = {parts[1:-1] for parts in places.values()}
        shared = len(firsts) == 1 and len(folders) > 1 and () not in folders
        self._exact: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        self._deepest = 0
        for image_id, parts in places.items():
            if not parts:
                continue
            tail = parts[1:] if shared else parts
            self._deepest = max(self._deepest, len(tail))
            self._exact.setdefault("/".join(tail), []).append(image_id)
            if by_stem:
                self._stems.setdefault(_stem(tail), []).append(image_id)

    def match(self, path: str) -> tuple[str, ...]:
        """Image ids that a path belongs to: none, one, or several that it cannot tell apart.

        Parameters
        ----------
        path : str
            Of an image file or a member of an archive, with as many of its folders as are known.
        """
        parts = path_parts(path)
        for length in range(min(len(parts), self._deepest), 0, -1):
            tail = parts[-length:]
            found = self._exact.get("/".join(tail)) or self._stems.get(_stem(tail))
            if found:
                return tuple(found)
        return ()


def _stem(parts: tuple[str, ...]) -> str:
    return "/".join((*parts[:-1], without_suffix(parts[-1])))
