"""Left to its own test: it needs atheris."""

collect_ignore = ["fuzz.py"]
