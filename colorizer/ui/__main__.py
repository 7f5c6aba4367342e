"""`python -m colorizer.ui`: the demo, as by `python app.py`."""

from .app import main

if __name__ == "__main__":
    main()
