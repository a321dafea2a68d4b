"""Small pictures inside the page: stored images, shrunk and written into the page itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from PIL import Image

from chestxpert.pixels.shrink import shrink
from chestxpert.pixels.store import ImageStore

SIDE = 128
QUALITY = 80


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Thumbnails of a store's images as grey JPEG data URIs, at most `SIDE` pixels wide."""

    store: ImageStore

    @cached_property
    def _rows(self) -> pd.Series:
        return pd.Series(range(len(self.store)), index=pd.Index(self.store.image_ids, dtype=object))

    def uri(self, image_id: str) -> str:
        """Data URI of an image; empty if the store does not have it, as an image that could not be decoded."""
        row = self._rows.get(image_id)
        if row is None:
            return ""
        pixels = self.store.pixels[int(row)]
        side = min(SIDE, self.store.size)
        file = io.BytesIO()
        Image.fromarray(shrink(pixels, (side, side))).save(file, "JPEG", quality=QUALITY, optimize=True)
        return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
