"""Coverage-guided fuzzing of all that reads what strangers send: whatever it is, it is read, or refused in a sentence.

pip install atheris
python tests/fuzzing/fuzz.py pictures -max_total_time=3600        # or checkpoints, hints, zips, tars

Starts from small files of each kind; a find is kept by libFuzzer as crash-... in the working directory.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["colorizer", "PIL"]):
    import numpy as np
    from PIL import Image

    from colorizer import UserError
    from colorizer.model.checkpoints import load_checkpoint
    from colorizer.model.hints import parse_hints
    from colorizer.pictures.reading import read_picture
    from colorizer.pictures.sources import open_source

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "ICO", "TGA")
_SCRATCH = Path(tempfile.mkdtemp())
_LARGEST = 4 * 10**6  # bytes: what is larger only takes longer


def _picture(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(16 * 12 * 3, dtype=np.uint8).reshape(12, 16, 3)).save(buffer, format)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/photo.png", _picture("PNG"))
        archive.writestr("../b.jpg", _picture("JPEG"))
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("photo.png", "photo.cls"):
            data = _picture("PNG") if name.endswith("png") else b"3"
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _about(features: str) -> bytes:
    config = {"network": "skip_fusion", "objective": "regression", "features": features}
    more: dict[str, object] = {"features_fingerprint": None, "features_weights": None, "info": {}}
    return json.dumps({"format": 1, "config": config, "size": 128, **more}).encode()


def pictures(data: bytes) -> None:
    """A file's bytes."""
    read_picture(data, "fuzzed.jpg")


def checkpoints(data: bytes) -> None:
    """The metadata of a checkpoint."""
    text = data.decode("utf-8", "replace")
    header = json.dumps({"__metadata__": {"colorizer": text}}).encode()
    path = _SCRATCH / "fuzzed.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    load_checkpoint(path)


def hints(data: bytes) -> None:
    """JSON, as from a file or a browser."""
    with contextlib.suppress(ValueError, RecursionError):
        parsed = json.loads(data)
        try:
            parse_hints(parsed)
        except ValueError as error:
            raise AssertionError(f"{error!r} of {parsed!r:.200}") from error


def _source(data: bytes, name: str) -> None:
    path = _SCRATCH / name
    path.write_bytes(data)
    source = open_source(str(path))
    for entry in list(source.names)[:5]:
        read_picture(source.read(entry), entry)


def zips(data: bytes) -> None:
    """A zip file, and the pictures in it."""
    _source(data, "fuzzed.zip")


def tars(data: bytes) -> None:
    """A tar file, and the pictures in it."""
    _source(data, "fuzzed.tar")


_SEEDS: dict[Callable[[bytes], None], list[bytes]] = {
    pictures: [_picture(format) for format in _FORMATS],
    checkpoints: [_about("x"), _about("tf_efficientnet_lite0")],
    hints: [
        b'[[10, 20, 3, "#a32a2a"]]', b'[{"points": [[1, 2], [3, 4]], "radius": 2, "ab": [1, 2], "reach": 0.5}]',
        b'[{"mask": "data:image/png;base64,AAAA", "color": "red", "protect": true, "influence": false}]',
    ],
    zips: [_zip()],
    tars: [_tar()],
}  # fmt: skip


def main() -> None:
    """Fuzz one of them."""
    target = {function.__name__: function for function in _SEEDS}[sys.argv[1]]
    corpus = _SCRATCH / "corpus"
    corpus.mkdir()
    for k, seed in enumerate(_SEEDS[target]):
        (corpus / str(k)).write_bytes(seed)
    os.environ["COLORIZER_CACHE"] = str(_SCRATCH / "cache")
    os.environ["COLORIZER_MAX_MEGAPIXELS"] = "1"  # or it would mostly decode large pictures
    warnings.simplefilter("ignore")
    logging.disable()

    def once(data: bytes) -> None:
        if len(data) > _LARGEST:
            return
        with contextlib.suppress(UserError):
            target(data)

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[2:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
