"""The demo.

python app.py             # then open the address it prints
python app.py --help      # for other computers, another port, the internet
"""

import sys

from colorizer.ui.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
