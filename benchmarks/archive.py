"""A folder and an archive: how fast, on one machine and on a cluster; and whether all arrives though things end.

pip install -r requirements-dev.txt
python benchmarks/archive.py FOLDER                          # photographs a second
python benchmarks/archive.py FOLDER --faults --photos 20000  # over S3, a worker, a node and the command are killed

The nodes are processes of this machine (ray.cluster_utils) with a core each, the S3 server is moto's on loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer.archive.manifest import read_manifest
from colorizer.archive.places import open_place
from colorizer.pictures.reading import find_pictures

ROOT = Path(__file__).parent.parent
SMALL = ("--working-size", "96", "--agreement", "0", "--people", "0")  # for pictures of 64 pixels
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def start(*arguments: object) -> subprocess.Popen[str]:
    """The program's command line."""
    command = [sys.executable, "-m", "colorizer", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    """What a command that must succeed said."""
    said, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{process.args!r}: {said}")
    return said.strip().splitlines()[-1]


@contextlib.contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """A Ray cluster of a head without a core, and nodes with one each."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def rate(folder: Path) -> float:
    """Pictures a second, from the first that was written to the last."""
    times = sorted(path.stat().st_mtime for path in find_pictures(folder))
    return (len(times) - 1) / (times[-1] - times[0])


def throughput(pictures: list[Path]) -> None:
    """The table of photographs a second."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        source.mkdir()
        for k, path in enumerate(pictures):
            shutil.copy(path, source / f"{k:06d}{path.suffix}")

        def measured(name: str, *arguments: object) -> float:
            folder = Path(scratch, name.replace(" ", "-"))
            begun = time.monotonic()
            target = (folder,) if arguments[0] == "archive" else ("-o", folder)
            finished(start(*arguments, *target))
            per_second, whole = rate(folder), len(pictures) / (time.monotonic() - begun)
            print(f"| {name} | {per_second:.2f} | {whole:.2f} |", flush=True)
            return per_second

        print(f"{len(pictures)} photographs on {cores} cores\n")
        print("| | photographs a second | with the start |\n|---|---:|---:|")
        one = measured("folder, one job", source)
        more = measured(f"folder, {cores} jobs", source, "--jobs", cores)
        here = measured("archive, this machine", "archive", source)
        rates = {}
        for nodes in (1, 2):
            with cluster(nodes) as made:
                name = f"archive, {nodes} node{'s' * (nodes > 1)} of a core"
                rates[nodes] = measured(name, "archive", source, "--address", made.address)
    print(f"\n{cores} jobs: {more / one:.2f} of one. Archive: {here / more:.2f} of {cores} jobs.", end=" ")
    print(f"2 nodes: {rates[2] / rates[1]:.2f} of one; a core of them: {rates[2] / 2 / (more / cores):.2f} of a job's.")


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server, for this process and its children."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    os.environ.update(KEYS, AWS_ENDPOINT_URL=address)
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), "the S3 server", 60)
        yield address
    finally:
        server.kill()
        server.wait()


def until(true: Callable[[], object], what: str, seconds: float = 3600) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"It took too long: {what}.")
        time.sleep(2)


def workers() -> list[psutil.Process]:
    """Processes of Ray that color."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "MapWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def faults(pictures: list[Path]) -> None:
    """Color over S3 while things are killed, and look whether every picture arrived once and whole."""
    with s3_server(), cluster(2) as made:
        files = fsspec.filesystem("s3", skip_instance_cache=True)
        for bucket in ("scans", "colored"):
            files.mkdir(bucket)
        names = {f"{k // 1000:03d}/{k:06d}{path.suffix}": path for k, path in enumerate(pictures)}
        files.put([str(path) for path in names.values()], [f"scans/{name}" for name in names])
        print(f"{len(names)} pictures lie on the S3 server.", flush=True)
        place = open_place("s3://colored")

        def done() -> int:
            files.invalidate_cache()
            folder = "colored/_manifest"
            # A run puts the parts of those before it together: their rows count, not the files.
            parts = [p for p in files.ls(folder) if p.endswith(".parquet")] if files.exists(folder) else []
            whole = sum("/all-" in p for p in parts)
            return len(read_manifest(place)) if whole else 64 * len(parts)

        def command() -> subprocess.Popen[str]:
            return start("archive", "s3://scans", "s3://colored", "--address", made.address, *SMALL)

        begun = time.monotonic()
        memory: list[tuple[int, float]] = []

        def reached(share: float) -> Callable[[], bool]:
            def look() -> bool:
                now = done()
                colorers = [process.memory_info().rss for process in workers()]
                memory.append((now, max(colorers, default=0) / 1e6))
                return now >= share * len(names)

            return look

        driver = command()
        until(reached(0.15), "to color 15%")
        victim = workers()[0]
        victim.kill()
        print(f"{done()} done, {time.monotonic() - begun:.0f} s: killed the worker {victim.pid}.", flush=True)
        until(reached(0.35), "to color 35%")
        made.remove_node(made.worker_nodes.copy().pop(), allow_graceful=False)
        print(f"{done()} done, {time.monotonic() - begun:.0f} s: killed a node.", flush=True)
        until(reached(0.45), "to color 45%")
        made.add_node(num_cpus=1)
        print(f"{done()} done, {time.monotonic() - begun:.0f} s: added a node.", flush=True)
        until(reached(0.6), "to color 60%")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        print(f"{done()} done, {time.monotonic() - begun:.0f} s: killed the command.", flush=True)
        print(finished(command()), f"After {time.monotonic() - begun:.0f} s.", flush=True)
        print(finished(command()), flush=True)
        look_at(names, files, place)
        for share in (0.1, 0.3, 0.5, 0.6):
            pictures_done, mb = min(memory, key=lambda seen: abs(seen[0] - share * len(names)))
            print(f"The largest worker had {mb:.0f} MB when {pictures_done} were done.")


def look_at(names: dict[str, Path], files: Any, place: Any) -> None:
    """Every picture once, none lost, none half."""
    files.invalidate_cache()
    arrived = {path.removeprefix("colored/"): path for path in files.find("colored") if "/_manifest/" not in path}
    manifest = read_manifest(place)
    half = 0
    for name, path in names.items():
        with Image.open(io.BytesIO(files.cat_file(arrived[name]))) as colored, Image.open(path) as own:
            colored.load()
            half += colored.size != own.size
    written = sorted(name for row in manifest["written"] for name in row)
    print(f"Arrived: {len(arrived)}; lost: {len(set(names) - set(arrived))}; half: {half}.", end=" ")
    print(f"In the manifest once each: {written == sorted(names) == sorted(manifest['name'])}.")


def main() -> None:
    """Measure."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path, help="pictures, at any depth")
    p.add_argument("--photos", type=int, default=900, help="how many; repeated if there are fewer (default: 900)")
    p.add_argument("--faults", action="store_true", help="kill a worker, a node and the command meanwhile")
    arguments = p.parse_args()
    found = find_pictures(arguments.folder)
    if not found:
        p.error(f"There are no pictures in {arguments.folder}.")
    pictures = (found * (arguments.photos // len(found) + 1))[: arguments.photos]
    (faults if arguments.faults else throughput)(pictures)


if __name__ == "__main__":
    main()
