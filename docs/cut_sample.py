"""Cut the sample set out of the color examples: python docs/cut_sample.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent.parent / "colorizer" / "examples"
EACH, SIDE = 12, 160


def main() -> None:
    """Squares of 35 to 90% of the short side, anywhere, each at 160 pixels."""
    for path in sorted((HERE / "color").glob("*.jpg")):
        rng = np.random.default_rng(len(path.stem))
        with Image.open(path) as photo:
            for k in range(EACH):
                side = int(min(photo.size) * rng.uniform(0.35, 0.9))
                left, top = (int(rng.integers(0, whole - side + 1)) for whole in photo.size)
                cut = photo.convert("RGB").resize(
                    (SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + side, top + side)
                )
                target = HERE / "sample" / path.stem / f"{k + 1:02d}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                cut.save(target, quality=85)


if __name__ == "__main__":
    main()
