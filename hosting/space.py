"""Send the demo to a Hugging Face Space, and nothing else.

python hosting/space.py                        # lists what would be sent, with its size; sends nothing
python hosting/space.py --to OWNER/NAME        # sends it, after `hf auth login`; the Space is made if it isn't there

A Space's disk is emptied when it restarts: runs and evaluations on it are gone then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SINGLE = ("README.md", "LICENSE", "app.py", "requirements.txt")


def files(root: Path) -> list[Path]:
    """What the page needs to run, relative to the repository's root."""
    package = (p for p in sorted((root / "colorizer").rglob("*")) if p.is_file() and p.suffix != ".pyc")
    return [Path(name) for name in SINGLE] + [path.relative_to(root) for path in package]


def main() -> int:
    """Exit status 0: listed or sent, 2: something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", metavar="OWNER/NAME", help="the Space to send it to")
    parser.add_argument("--private", action="store_true", help="only you see a new Space")
    arguments = parser.parse_args()
    chosen = files(ROOT)
    for path in chosen:
        print(f"{(ROOT / path).stat().st_size:>12,}  {path.as_posix()}")
    print(f"{sum((ROOT / path).stat().st_size for path in chosen):>12,}  in {len(chosen)} files")
    if arguments.to is None:
        return 0
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        hub = HfApi()
        hub.create_repo(arguments.to, repo_type="space", space_sdk="gradio", private=arguments.private, exist_ok=True)
        names = [path.as_posix() for path in chosen]
        hub.upload_folder(repo_id=arguments.to, folder_path=ROOT, repo_type="space", allow_patterns=names)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        print(f"space.py: {arguments.to} was not updated: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print(f"https://huggingface.co/spaces/{arguments.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
