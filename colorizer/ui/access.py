"""What the page may read and change, and for whom."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..errors import UserError
from ..files import cache_folder
from ..pictures.sources import EXAMPLES


def on_space() -> bool:
    """True on Hugging Face Spaces, where strangers share one machine."""
    return "SPACE_ID" in os.environ


def uploads_folder() -> Path:
    """Where files that were given to the page stay, for runs that may take days."""
    return cache_folder() / "uploads"


def keep_upload(file: str) -> str:
    """Copy an uploaded file there, under its name in a folder of its own; returns where."""
    target = uploads_folder() / Path(file).parent.name[:12] / Path(file).name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return str(target)


def allowed_roots() -> list[Path] | None:
    """Below which folders the page may read pictures to train and measure on; None is everywhere.

    $COLORIZER_DATA_ROOTS says so, separated as in $PATH. Else, who opens the page on the computer that it runs on may
    read everything there; from elsewhere only the working folder can be read, and on a Space only the examples.
    """
    own = [EXAMPLES, uploads_folder(), cache_folder() / "imagenette"]
    if on_space():
        return own[:1]
    if roots := os.environ.get("COLORIZER_DATA_ROOTS"):
        return [*map(Path, roots.split(os.pathsep)), *own]
    if os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1") in ("127.0.0.1", "localhost", "::1"):
        return None
    return [Path.cwd(), *own]


def check_folder(data: str | None) -> str:
    """The data set given, if this server may read it.

    Raises:
        UserError: nothing given, or outside of `allowed_roots`.
    """
    data = (data or "").strip()
    if not data:
        raise UserError("Say which pictures: give a folder on this computer, or a zip file.")
    place = data.split(":", 1)[1] if data.startswith(("imagenette:", "imagenet:")) else data
    roots = allowed_roots()
    if roots is None or place in ("sample", "imagenette"):
        return data
    where = Path(place).expanduser().resolve()
    if not any(root.resolve() in [where, *where.parents] for root in roots):
        if on_space():
            raise UserError("On a shared Space only the examples can be used. Duplicate the Space, or run it at home.")
        raise UserError(
            f"{place} lies outside of the folders that this page may read. Whoever runs it can add it to "
            f"COLORIZER_DATA_ROOTS."
        )
    return data
