"""List the networks that others have published, and fetch one.

python -m colorizer.commands.networks               # names, licenses, sizes, and what is on this computer
python -m colorizer.commands.networks ddcolor       # download it, to be used without a connection later
"""

from __future__ import annotations

import argparse
import sys

from ..errors import UserError
from .options import parser, run


def main() -> int:
    """Exit status 0: done, 2: something needs fixing by the user."""
    p = parser("python -m colorizer.commands.networks", __doc__)
    p.add_argument("name", nargs="?", help="the network to download")
    arguments = p.parse_args()
    return run("networks", lambda: _networks(arguments), "Stopped.")


def _networks(arguments: argparse.Namespace) -> int:
    from ..model.published import PUBLISHED, fetch_published, find_published, needs

    if arguments.name is not None:
        if arguments.name not in PUBLISHED:
            raise UserError(f"There is no published network {arguments.name}. Choose one of: {', '.join(PUBLISHED)}.")
        print(fetch_published(arguments.name))
        return 0
    for name, entry in PUBLISHED.items():
        here = "on this computer" if find_published(name) is not None else "not downloaded"
        print(f"{name} ({here}): {entry.about}.\n  {entry.spec.source}, {entry.spec.license}\n  {needs(name)}.")
        print(f"  It takes {entry.can}; no alternatives.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
