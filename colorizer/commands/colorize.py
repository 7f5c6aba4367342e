"""Color photographs and films.

python -m colorizer old.jpg -o colorized/
python -m colorizer album/ more/*.tif -o colorized/      # folders at any depth; what is done is skipped
python -m colorizer old.jpg -o colorized/ --hints hints.json --alternatives 3 --format png
python -m colorizer reel.mp4 -o colorized/ --corrections reel.json --film-quality 16
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..film import is_film
from .options import (
    add_colorizer_options,
    add_output_options,
    colorizer_from,
    output_from,
    parser,
    photo_colorizer_from,
    run,
    settings_from,
)

if TYPE_CHECKING:
    from ..inference.batch import Result


def main() -> int:
    """Exit status 0: all done, 1: some pictures failed, 2: something needs fixing by the user."""
    p = parser("python -m colorizer", __doc__)
    p.add_argument("pictures", nargs="+", type=Path, help="photographs, folders and zip files of them; films")
    p.add_argument("-o", "--output", type=Path, required=True, help="the folder for the results")
    p.add_argument("--overwrite", action="store_true", help="color again what is already there")
    add_output_options(p)
    p.add_argument(
        "--hints", type=Path, metavar="FILE", help='known colors, JSON: [[x, y, radius, "#rrggbb"], ...] in pixels of '
        'the one picture, or {"NAME.jpg": [...], ...}',
    )  # fmt: skip
    p.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="also write up to N other colorings beside each"
    )
    p.add_argument(
        "--corrections", type=Path, metavar="FILE", help='what is known of the one film, JSON: [{"at": SECONDS, '
        '"hints": [[x, y, radius, "#rrggbb"], ...], "reference": "still.png", "settings": {"vividness": 2}}, ...]',
    )  # fmt: skip
    p.add_argument("--film-quality", type=int, default=18, metavar="CRF", help="of films, 0 best .. 51 (default: 18)")
    p.add_argument("--lossless", action="store_true", help="films without any loss, as .mkv (FFV1)")
    p.add_argument("--deinterlace", action="store_true", help="make films whole whose frames are woven of two halves")
    p.add_argument(
        "--preview", type=float, metavar="SECONDS", help="only three seconds of each film, small, from there on"
    )
    p.add_argument("--jobs", type=int, default=1, metavar="N", help="pictures colored at the same time (default: 1)")
    add_colorizer_options(p)
    arguments = p.parse_args()
    return run("colorizer", lambda: _colorize(arguments), "Stopped. The same command resumes where it was.")


def _colorize(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1 or arguments.alternatives < 0:
        raise UserError("--jobs must be at least 1, and --alternatives at least 0.")
    films = [path for path in arguments.pictures if is_film(path)]
    photos = [path for path in arguments.pictures if path not in films]
    if arguments.corrections and len(films) != 1:
        raise UserError("--corrections are those of one film: give it alone.")
    status = _films(films, arguments) if films else 0
    return max(status, _photos(photos, arguments)) if photos else status


def _films(films: list[Path], arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..film.writing import FilmOutput
    from ..inference.corrections import read_corrections
    from ..inference.film import colorize_film, preview_film

    settings, output = settings_from(arguments), FilmOutput(arguments.film_quality, arguments.lossless)
    corrections = read_corrections(arguments.corrections) if arguments.corrections else []
    predictor = colorizer_from(arguments).predictor
    status = 0
    for film in films:
        target = arguments.output / film.name
        if arguments.preview is not None:
            target = target.with_name(f"{film.stem}-preview.mp4")
            print(preview_film(predictor, film, target, arguments.preview, settings=settings))
            continue
        there = next((p for p in (target, target.with_suffix(".mkv")) if p.is_file()), None)
        if there and not arguments.overwrite:
            print(f"{there} is there already.")
            continue
        with tqdm(unit="frame", desc=film.name, disable=None) as bar:

            def show(phase: str, done: int, total: int, bar: tqdm[None] = bar) -> None:
                bar.set_postfix_str("finding cuts" if phase == "shots" else "", refresh=False)
                bar.total = total
                bar.update(done - bar.n)

            try:
                result = colorize_film(
                    predictor, film, target, settings, corrections, output, arguments.deinterlace, progress=show
                )
            except UserError as error:
                if len(films) == 1:
                    raise
                print(f"Not colorized: {film}: {error}", file=sys.stderr)
                status = 1
                continue
        print(f"{result.target}: {result.frames} frames in {len(result.shots)} shots.")
        for note in result.notes:
            print(f"Note: {note}", file=sys.stderr)
    return status


def _photos(photos: list[Path], arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..inference import batch
    from ..model.hints import read_hints

    settings = settings_from(arguments)
    output = output_from(arguments)
    jobs = batch.plan(photos, arguments.output, arguments.format)
    hints = read_hints(arguments.hints, [job.source.name for job in jobs]) if arguments.hints else None
    colorizer = photo_colorizer_from(arguments)
    told = any(hint.influence for own in (hints or {}).values() for hint in own)
    colorizer.check(hints=told, alternatives=arguments.alternatives > 0)
    work = batch.run(
        colorizer, jobs, settings, hints, output, arguments.alternatives, arguments.overwrite, arguments.jobs
    )
    return _report(list(tqdm(work, total=len(jobs), unit="picture", disable=None)), arguments.output)


def _report(results: list[Result], output: Path) -> int:
    skipped = sum(r.skipped for r in results)
    failed = [r for r in results if r.problem]
    already = f", {skipped} were there already" if skipped else ""
    print(f"{len(results) - skipped - len(failed)} colorized in {output}{already}.")
    for result in results:
        for note in result.notes:
            print(f"Note: {note}", file=sys.stderr)
        if result.problem:
            print(f"Not colorized: {result.job.source}: {result.problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
