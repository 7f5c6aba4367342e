"""`python -m colorizer`, or `colorizer`: see `commands.colorize`, and behind the word archive `commands.archive`."""

import sys


def main() -> int:
    """The exit status of the command."""
    if sys.argv[1:2] == ["archive"]:  # a folder of this name is given as ./archive
        from .commands import archive

        return archive.main(sys.argv[2:])
    from .commands import colorize

    return colorize.main()


if __name__ == "__main__":
    sys.exit(main())
