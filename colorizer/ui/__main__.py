"""Serve the demo: a page to color photographs, train networks and measure them.

python app.py                              # on this computer alone; open the address that it prints
python app.py --host 0.0.0.0 --port 8000   # for the computers around, too
python app.py --share                      # for anyone who has the address that Gradio's servers make up for it

Others are visitors: they color, and measure with the bundled network; see docs/hosting.md. The same can be said by
variables of the environment: GRADIO_SERVER_NAME, GRADIO_SERVER_PORT, GRADIO_SHARE.
"""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys

from ..errors import UserError
from ..limits import limits

_PORT_VARIABLE, _HOST_VARIABLE, _SHARE_VARIABLE = "GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME", "GRADIO_SHARE"
_LOOPBACK = "127.0.0.1"


def main() -> int:
    """Exit status 0: closed, 2: something needs fixing by the user."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="app.py", description=__doc__, formatter_class=formatter)
    parser.add_argument("--host", help=f"the address to listen on (default: {_LOOPBACK}, this computer alone)")
    parser.add_argument("--port", type=int, help="the port (default: the first that is free from 7860 on)")
    parser.add_argument("--share", action="store_true", help="open the page to the internet through Gradio's servers")
    arguments = parser.parse_args()
    # Gradio reads them, and so does whatever asks who may do what.
    for variable, value in ((_HOST_VARIABLE, arguments.host), (_PORT_VARIABLE, arguments.port)):
        if value is not None:
            os.environ[variable] = str(value)
    if arguments.share:
        os.environ[_SHARE_VARIABLE] = "True"
        print("Anyone who has the address can color photographs here. Their photographs pass through Gradio's servers.")
    host, port = os.environ.get(_HOST_VARIABLE, _LOOPBACK), os.environ.get(_PORT_VARIABLE)
    try:
        limits()
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    if problem := _not_possible(host, port):
        print(f"app.py: {problem}", file=sys.stderr)
        return 2
    print("Starting: PyTorch and Gradio are loaded, which takes some seconds ...", flush=True)
    from .app import serve

    try:
        serve()
    except KeyboardInterrupt:
        print("\nClosed.")
    return 0


def _not_possible(host: str, port: str | None) -> str | None:
    """Why nothing can be served there; None if it can, or if Gradio chooses the port."""
    if port is None:
        return None
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        return f"The port must be a number from 0 to 65535, not {port}."
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
    except OSError as error:
        taken = (
            "another program, perhaps this one, uses it already" if error.errno == errno.EADDRINUSE else error.strerror
        )
        return f"The page can't be served at {host}:{port}: {taken or error}. Choose another by --host or --port."
    return None


if __name__ == "__main__":
    sys.exit(main())
