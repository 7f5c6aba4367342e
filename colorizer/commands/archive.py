"""Color an archive of any size, wherever it lies, on this machine or on a Ray cluster.

colorizer archive scans/ colored/
colorizer archive s3://scans/1920s s3://colored/1920s --address auto     # on the cluster of this machine
colorizer archive "s3://scans/part-*.tar" "s3://colored/part-*.tar" --table hints.parquet
colorizer archive --status s3://colored/1920s                            # what is done, what failed, and why

What is done is known at the destination, in _manifest: after whatever ended it, the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import add_colorizer_options, add_output_options, output_from, parser, run, settings_from

if TYPE_CHECKING:
    from ..archive.run import Summary

_NAMED = 20  # of the failed pictures, at the end


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: all done, 1: some pictures failed, 2: something needs fixing by the user."""
    p = parser("colorizer archive", __doc__)
    p.add_argument("source", nargs="?", help="a folder of any kind that fsspec knows, or tar files")
    p.add_argument("destination", help="the same; of tar files with a star, such as colored-*.tar")
    p.add_argument("--status", action="store_true", help="color nothing; say what is done at the destination")
    p.add_argument("--table", type=Path, metavar="FILE", help="settings and hints by name, CSV or Parquet")
    p.add_argument("--address", help="of a Ray cluster; auto: that of this machine (default: this machine alone)")
    p.add_argument("--workers", type=int, metavar="N", help="at most (default: one for each GPU, or else core)")
    add_output_options(p)
    add_colorizer_options(p)
    chosen = p.parse_intermixed_args(arguments)  # options may stand between the two places
    return run("colorizer archive", lambda: _archive(chosen), "Stopped. The same command goes on where it was.")


def _archive(arguments: argparse.Namespace) -> int:
    try:
        import fsspec  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UserError("Archives need more packages: pip install 'colorizer[archive]'.") from error
    if arguments.status:
        return _status(arguments.destination)
    if arguments.source is None:
        raise UserError("Say where the pictures are and where to: colorizer archive SOURCE DESTINATION.")
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError("--workers must be at least 1.")
    from tqdm import tqdm

    from ..archive.plan import Archive
    from ..archive.run import color_archive

    _hush()
    archive = Archive.between(
        arguments.source, arguments.destination, arguments.checkpoint, settings=settings_from(arguments),
        output=output_from(arguments), features_weights=arguments.features_weights, device=arguments.device,
    )  # fmt: skip
    with tqdm(unit="picture", disable=None) as bar:

        def show(summary: Summary) -> None:
            bar.total = summary.pictures
            bar.set_postfix_str(f"{len(summary.failed)} failed" if summary.failed else "", refresh=False)
            bar.initial = summary.before  # those took no time
            bar.update(summary.before + summary.done + len(summary.failed) - bar.n)

        summary = color_archive(archive, arguments.table, arguments.address, arguments.workers, show)
    before = f", {summary.before} were done already" if summary.before else ""
    print(f"{summary.done} colorized in {arguments.destination}{before}.")
    _name([(row["name"], row["reason"]) for row in summary.failed], arguments.destination)
    return 1 if summary.failed else 0


def _hush() -> None:
    """What libraries in C++ print of what they mend themselves is not seen; what Python prints is."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _status(destination: str) -> int:
    from ..archive.manifest import DONE, FAILED, read_manifest
    from ..archive.places import open_place

    manifest = read_manifest(open_place(destination))
    if manifest.empty:
        raise UserError(f"There is no manifest at {destination}: nothing has been colored to there.")
    counts = manifest["outcome"].value_counts()
    failed = manifest[manifest["outcome"] == FAILED]
    print(
        f"{counts.get(DONE, 0)} done, {len(failed)} failed, the last on {manifest['time'].max():%Y-%m-%d %H:%M:%S} UTC."
    )
    _name(list(zip(failed["name"], failed["reason"], strict=True)), destination)
    return 1 if len(failed) else 0


def _name(failed: list[tuple[str, str]], destination: str) -> None:
    for name, reason in sorted(failed)[:_NAMED]:
        print(f"Not colorized: {name}: {reason}", file=sys.stderr)
    if len(failed) > _NAMED:
        print(f"And {len(failed) - _NAMED} more: they are in {destination}/_manifest.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
