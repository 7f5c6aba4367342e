"""Measure networks on a test set: MSE first, beside the baseline of pictures left gray.

python evaluate.py --data photos/test                                    # the bundled checkpoint
python evaluate.py --checkpoint runs/mine --data photos/test --json out.json --html out.html
python evaluate.py --checkpoint runs/mine --checkpoint bundled --data photos/test     # compared on the same pictures
python evaluate.py --checkpoint runs/mine --data held-out                # what the run did not learn from

What is measured is kept: an interrupted evaluation resumes where it stopped, and a finished one is shown at once.
"""

import sys

from colorizer.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
