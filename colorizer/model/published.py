"""The networks that others have published, by short names: what they are, where their weights are, and fetching them.

    python -m colorizer old.jpg -o colorized/ --checkpoint ddcolor-tiny

No weights of theirs come with this program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import UserError
from ..files import cache_folder, whole_file
from .networks import NetworkConfig, NetworkSpec

_BYTES_A_PARAMETER = 4


@dataclass(frozen=True)
class Published:
    """A network with published weights.

    Attributes:
        config: what it is.
        about: what tells it from the others, for people.
        repository: of the Hugging Face Hub.
        address: of a file instead, and its SHA-256.
        times: about how long a photograph takes beside the bundled network's, on a CPU (`benchmarks/peers.py`).
    """

    config: NetworkConfig
    about: str
    repository: str = ""
    address: str = ""
    sha256: str = ""
    times: float = 1.0

    @property
    def spec(self) -> NetworkSpec:
        """Of the network."""
        return self.config.spec

    @property
    def can(self) -> str:
        """What it can do, beside coloring, for people."""
        return "strokes and their influence" if self.spec.takes_hints else "strokes, without influence on the rest"


def _ddcolor(size: str) -> NetworkConfig:
    return NetworkConfig("ddcolor", "regression", f"convnext_{size}")


_ZHANG = "https://colorizers.s3.us-east-2.amazonaws.com/"
# Names and what is said of them: the model zoo of github.com/piddnad/DDColor, and github.com/richzhang/colorization.
PUBLISHED: Mapping[str, Published] = {
    "ddcolor": Published(
        _ddcolor("large"), "DDColor, its authors' choice for photographs beyond ImageNet", "piddnad/ddcolor_modelscope",
        times=12,
    ),
    "ddcolor-artistic": Published(
        _ddcolor("large"), "DDColor, learned from more, artistic pictures, too", "piddnad/ddcolor_artistic",
        times=12,
    ),
    "ddcolor-paper": Published(_ddcolor("large"), "DDColor as in its paper", "piddnad/ddcolor_paper", times=12),
    "ddcolor-tiny": Published(_ddcolor("tiny"), "DDColor, small", "piddnad/ddcolor_paper_tiny", times=8),
    "siggraph17": Published(
        NetworkConfig("siggraph17", "regression", ""), "Zhang et al. 2017, which can be told of colors",
        address=_ZHANG + "siggraph17-df00044c.pth",
        sha256="df00044c0a4d7c3edcecf6f75437ce346a66e7a42612d9b968e1a7e17dbc6f66",
        times=3,
    ),
    "eccv16": Published(
        NetworkConfig("eccv16", "regression", ""), "Zhang et al. 2016, the baseline of the field",
        address=_ZHANG + "colorization_release_v2-9b330a0b.pth",
        sha256="9b330a0bae53f4ded77b1e23defbf78beaa09c10ebc4c4999e8e4f4a160b93f9",
        times=2,
    ),
}  # fmt: skip


@cache
def parameters(config: NetworkConfig) -> int:
    """How many a network has; it is laid out without memory for that."""
    import torch

    from .networks import build_network

    with torch.device("meta"):
        return sum(p.numel() for p in build_network(config).parameters())


def download_bytes(name: str) -> int:
    """About how large the file of its weights is: 4 bytes a parameter."""
    return _BYTES_A_PARAMETER * parameters(PUBLISHED[name].config)


def needs(name: str) -> str:
    """What using it takes, for people: said before anything is downloaded."""
    entry = PUBLISHED[name]
    megabytes = download_bytes(name) / 1e6
    return (
        f"{parameters(entry.config) / 1e6:.0f} million parameters, a download of {megabytes:.0f} MB and as much "
        f"memory; on a processor it takes about {entry.times:.0f} times as long as the bundled network"
    )


def find_published(name: str) -> Path | None:
    """The file of its weights, if it is on this computer."""
    entry = PUBLISHED[name]
    if entry.repository:
        from .hub import cached  # which takes a second to import

        return cached(entry.repository)
    file = _file_of(entry)
    return file if file.is_file() else None


def bytes_there(name: str) -> int:
    """How much of a download has arrived."""
    entry = PUBLISHED[name]
    if entry.repository:
        from .hub import bytes_there

        return bytes_there(entry.repository)
    folder, stem = _file_of(entry).parent, _file_of(entry).name
    return sum(path.stat().st_size for path in folder.glob(f"*{stem}*"))


def fetch_published(name: str) -> Path:
    """The file of its weights, downloaded if it is not on this computer yet.

    Raises:
        UserError: no connection, or what came is not that file.
    """
    entry = PUBLISHED[name]
    if (file := find_published(name)) is not None:
        return file
    if entry.repository:
        from .hub import pull

        try:
            return pull(entry.repository)
        except UserError as error:
            raise UserError(_could_not(name, f"from huggingface.co/{entry.repository}")) from error
    import torch

    file = _file_of(entry)
    try:
        with whole_file(file) as temporary:
            torch.hub.download_url_to_file(entry.address, str(temporary), entry.sha256)
    except (UserError, OSError, RuntimeError, ValueError) as error:
        damaged = ": what came is another file" if "invalid hash" in str(error) else ""
        raise UserError(_could_not(name, f"from {entry.address}{damaged}")) from error
    return file


def _could_not(name: str, where: str) -> str:
    return (
        f"The weights of {name} could not be downloaded {where}. Connect this computer to the internet and try again, "
        f"or download the file elsewhere and give its path."
    )


def _file_of(entry: Published) -> Path:
    return cache_folder() / "published" / entry.address.rpartition("/")[2]
