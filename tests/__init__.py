"""The tests, of which two files at a time are run."""

import os

# Each with one thread: two processes with a thread for each core slow each other down several times.
os.environ.setdefault("OMP_NUM_THREADS", "1")
