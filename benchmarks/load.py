"""Many people at once on one page, as a share of what one alone gets.

python benchmarks/load.py --people 50 --photos 3

Starts the demo on this computer, on loopback and a free port; each of so many people uploads a photograph and colors
it, one after the other, as fast as answers come. Says how many calls there were, how many got an error, how long they
took (the median and the 95th percentile), photographs a second beside those of one person alone, and the memory of the
server at the start, at its peak and at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parent.parent
_PATIENCE = 900  # seconds that a person waits
_SETTINGS = [100, 100, 100, 0, "jpg", 90, False, "bundled"]  # of /colorize


def photograph(side: int, seed: int) -> bytes:
    """A gray JPEG of side x side * 3 / 4 pixels."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (12, 16), np.uint8)).resize(
        (side, side * 3 // 4), Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    small.save(buffer, "JPEG")
    return buffer.getvalue()


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, psutil.Process]]:
    """The page's address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GRADIO_TEMP_DIR": folder, "COLORIZER_RUNS": folder}
        process = subprocess.Popen([sys.executable, str(ROOT / "app.py"), "--port", str(port)], env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(address, timeout=2).is_success:
                        break
                time.sleep(0.5)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def color(client: httpx.Client, photo: bytes) -> str:
    """Upload and color one photograph; what went wrong, or "" if nothing did."""
    try:
        uploaded = client.post("/gradio_api/upload", files={"files": ("photo.jpg", photo, "image/jpeg")})
        uploaded.raise_for_status()
        given = [{"path": uploaded.json()[0], "meta": {"_type": "gradio.FileData"}}, *_SETTINGS]
        asked = client.post("/gradio_api/call/colorize", json={"data": given})
        asked.raise_for_status()
        with client.stream("GET", f"/gradio_api/call/colorize/{asked.json()['event_id']}") as answer:
            event = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in ("complete", "error"):
                    return "" if event == "complete" else line.removeprefix("data: ")[:200]
        return "the answer ended early"
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"


def crowd(address: str, people: int, photos: int, side: int) -> tuple[list[float], list[str], float]:
    """So many people with so many photographs each: the seconds of each call, the errors, and the seconds in all."""

    def one(person: int) -> tuple[list[float], list[str]]:
        seconds, errors = [], []
        with httpx.Client(base_url=address, timeout=_PATIENCE) as client:
            for k in range(photos):
                photo = photograph(side, person * photos + k)
                begun = time.perf_counter()
                wrong = color(client, photo)
                seconds.append(time.perf_counter() - begun)
                errors += [wrong] if wrong else []
        return seconds, errors

    begun = time.perf_counter()
    with ThreadPoolExecutor(people) as pool:
        found = list(pool.map(one, range(people)))
    return [s for a, _ in found for s in a], [e for _, b in found for e in b], time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=50, help="at once (default: 50)")
    parser.add_argument("--photos", type=int, default=3, help="of each (default: 3)")
    parser.add_argument(
        "--side", type=int, default=1024, help="longer side of the photographs in pixels (default: 1024)"
    )
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    arguments = parser.parse_args()
    with demo() as (address, process):
        crowd(address, 1, 3, arguments.side)  # all that is made at the first call
        alone, _, alone_seconds = crowd(address, 1, 10, arguments.side)
        memory = [process.memory_info().rss / 1e6]
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.2):
                memory.append(process.memory_info().rss / 1e6)

        watcher = threading.Thread(target=watch)
        watcher.start()
        seconds, errors, total = crowd(address, arguments.people, arguments.photos, arguments.side)
        over.set()
        watcher.join()
        memory.append(process.memory_info().rss / 1e6)
    figures = {
        "people": arguments.people, "calls": len(seconds), "errors": len(errors),
        "median_s": float(np.median(seconds)), "p95_s": float(np.quantile(seconds, 0.95)),
        "alone_median_s": float(np.median(alone)), "photos_a_second": len(seconds) / total,
        "share_of_one_alone": len(seconds) / total / (len(alone) / alone_seconds),
        "memory_mb": {"start": memory[0], "peak": max(memory), "end": memory[-1]},
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{arguments.people} people, {len(seconds)} calls, {len(errors)} errors")
    print(
        f"a call: median {figures['median_s']:.1f} s, 95% within {figures['p95_s']:.1f} s; "
        f"alone {np.median(alone):.2f} s"
    )
    print(f"photographs a second: {len(seconds) / total:.2f}, {figures['share_of_one_alone']:.2f} of one person alone")
    print(f"memory: {memory[0]:.0f} MB at the start, {max(memory):.0f} at its peak, {memory[-1]:.0f} at the end")
    for wrong in sorted(set(errors))[:5]:
        print(f"error: {wrong}")


if __name__ == "__main__":
    main()
