"""What the page shows before a photograph is there: what it does, where photographs go, and what it takes."""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
from PIL import Image

from ..limits import limits
from ..pictures.photo import max_pixels
from ..pictures.reading import read_picture
from ..pictures.sources import EXAMPLES
from .access import is_private
from .common import colorizer_for, computing

_SHOWN, _SIDE = "grace_hopper.jpg", 300  # an example, and its longer side in pixels


def welcome() -> str:
    """An example before and after, and words, as HTML."""
    whose = (
        "Your photographs stay on this computer."
        if is_private()
        else "Your photographs go to the computer that runs this page, are colored there, and removed after an hour."
    )
    most = f"{max_pixels() // 10**6} megapixels and {limits().upload_megabytes} MB"
    takes = f"JPEG, PNG, WebP, TIFF, HEIC, AVIF or JPEG XL, up to {most}"
    return (
        f'<figure id="welcome"><img src="{_before_and_after()}" alt="A portrait in gray, and in color">'
        f"<figcaption>Before and after. {whose} {takes}.</figcaption></figure>"
    )


@functools.cache
def _before_and_after() -> str:
    with Image.open(EXAMPLES / "black-and-white" / _SHOWN) as image:
        image.thumbnail((_SIDE, _SIDE))
        gray = read_picture(image.convert("RGB")).rgb
    colored = computing(colorizer_for(None))(gray)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([gray, colored], axis=1)).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
