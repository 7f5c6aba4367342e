"""Who may do what on the page: whoever runs it everything, visitors only what harms nobody."""

from __future__ import annotations

import contextlib
import functools
import hmac
import importlib.util
import inspect
import ipaddress
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr
from gradio.context import LocalContext
from gradio.utils import get_upload_folder

from ..errors import UserError
from ..files import cache_folder, whole_file
from ..limits import limits
from ..model.checkpoints import BUNDLED
from ..pictures.sources import EXAMPLES

_PASSWORD = "COLORIZER_OWNER_PASSWORD"
_FORWARDED = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}
_WRONG_SECONDS = 1.0  # that a wrong password takes
_signed_in: set[str] = set()  # sessions
Function = TypeVar("Function", bound=Callable[..., Any])

# ------------------------------------------------------------------------------------------------ who


def on_space() -> bool:
    """True on Hugging Face Spaces, where strangers share one machine."""
    return "SPACE_ID" in os.environ


def signs_in_on_the_hub() -> bool:
    """Whether a Space offers to sign in with an account of the Hub: `hf_oauth: true` stands in its README.md."""
    packages = all(importlib.util.find_spec(name) for name in ("authlib", "itsdangerous"))
    return on_space() and bool(os.environ.get("OAUTH_CLIENT_SECRET")) and packages


def is_private() -> bool:
    """Whether the server is for this computer alone."""
    shared = os.environ.get("GRADIO_SHARE", "false").lower() not in ("", "0", "false")
    return _is_loopback(os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")) and not shared and not on_space()


def _is_loopback(host: str) -> bool:
    """Of a host without a port, in brackets or not."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_owner() -> bool:
    """Whether what is asked for is asked by whoever runs the page.

    That is who sits at the computer: the server is bound to it alone, and the request comes from it, is addressed to it
    (a foreign name in the address is another page's trick), and was forwarded by nobody. From elsewhere, it is who gave
    $COLORIZER_OWNER_PASSWORD, or signed in on the Hub as the owner of the Space.
    """
    request = LocalContext.request.get(None)
    if request is None:  # the program itself; within the page every call has one
        return is_private() and LocalContext.blocks.get(None) is None
    if request.session_hash in _signed_in or _is_spaces_owner(request):
        return True
    headers = {str(k).lower(): str(v) for k, v in dict(request.headers).items()}
    client = request.client
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return (
        is_private() and client is not None and _is_loopback(client.host) and _is_loopback(name)
        and not _FORWARDED & headers.keys()
    )  # fmt: skip


def _is_spaces_owner(request: gr.Request) -> bool:
    """By the session's cookie, which Gradio signs with the Space's secret."""
    author = os.environ.get("SPACE_AUTHOR_NAME")
    if not author or not signs_in_on_the_hub():
        return False
    session = getattr(request.request, "scope", {}).get("session") or {}
    account = session.get("oauth_info") or {}
    expired = account.get("expires_at", 0) < time.time()
    return not expired and account.get("userinfo", {}).get("preferred_username") == author


def sign_in(password: str) -> None:
    """Take who asks for the owner, if the password is right.

    Raises:
        UserError: it is not, or there is none.
    """
    right, request = os.environ.get(_PASSWORD, ""), LocalContext.request.get(None)
    if not right:
        raise UserError(f"This page has no password: whoever runs it can set {_PASSWORD}.")
    if request is None or not request.session_hash or not hmac.compare_digest(str(password).encode(), right.encode()):
        time.sleep(_WRONG_SECONDS)
        raise UserError("This is not the password.")
    _signed_in.add(request.session_hash)


def check_owner() -> None:
    """Let nobody else go on.

    Raises:
        UserError: it is a visitor.
    """
    if is_owner():
        return
    elsewhere = "Duplicate the Space to your account, or run" if on_space() else "Run"
    raise UserError(f"Only whoever runs this page can do this, after signing in. {elsewhere} the program at home.")


def owner_only(function: Function) -> Function:
    """A function of the page that visitors can't call."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            check_owner()
            yield from function(*args, **kwargs)

        return cast(Function, generator)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check_owner()
        return function(*args, **kwargs)

    return cast(Function, checked)


def session() -> str:
    """The page that asks; "" outside of any."""
    request = LocalContext.request.get(None)
    return (request.session_hash or "") if request else ""


# ----------------------------------------------------------------------------------------------- what


def check_paths(data: Any) -> bool:
    """Refuse files, anywhere in what a client sent, that it has not uploaded.

    Returns:
        whether there are files in it.
    Raises:
        gr.Error: one lies elsewhere, or is a folder, a device or a pipe.
    """
    found, within = False, data
    if isinstance(data, dict):
        within = data.values()
        if (found := isinstance(data.get("path"), str)) and not is_upload(data["path"]):
            message = "This file was not uploaded here, or it was put away. Drop it again."
            raise gr.Error(message, print_exception=False)
    elif not isinstance(data, list | tuple):
        return False
    return any([found, *map(check_paths, within)])  # all of them, whatever the first one is


def check_room() -> None:
    """Whether the server can take what was uploaded; the page's own uploads are removed after an hour.

    Raises:
        gr.Error: there is too much.
    """
    most, total = limits().uploads_megabytes, 0
    with contextlib.suppress(OSError):
        total = sum(path.stat().st_size for path in Path(get_upload_folder()).rglob("*"))
    if total > most * 10**6:
        raise gr.Error(
            f"This server holds as many photographs as it can ({most} MB). Try again later.", print_exception=False
        )


def is_upload(path: str) -> bool:
    """Whether it is a regular file that was uploaded here."""
    try:
        where = Path(path).resolve(strict=True)
        return Path(get_upload_folder()).resolve() in where.parents and stat.S_ISREG(where.stat().st_mode)
    except (OSError, ValueError, RuntimeError):
        return False


def uploads_folder() -> Path:
    """Where files that were given to the page stay, for runs that may take days."""
    return cache_folder() / "uploads"


def keep_upload(file: str) -> str:
    """Copy an uploaded file there, under its name in a folder of its own; returns where. A visitor's is not kept."""
    if not is_owner():
        return file
    target = uploads_folder() / Path(file).parent.name[:12] / Path(file).name
    with whole_file(target) as temporary:
        shutil.copyfile(file, temporary)
    return str(target)


def check_checkpoint(checkpoint: str | None) -> None:
    """Let visitors color with the bundled network alone.

    Raises:
        UserError: another one, for a visitor.
    """
    if checkpoint and checkpoint != BUNDLED:
        check_owner()


def allowed_roots() -> list[Path] | None:
    """Below which folders pictures to train and measure on may be read; None is everywhere.

    $COLORIZER_DATA_ROOTS says so, separated as in $PATH. Else whoever runs the page may read everything, and visitors
    the examples and what they have uploaded.
    """
    visitors = [EXAMPLES, Path(get_upload_folder())]
    if roots := os.environ.get("COLORIZER_DATA_ROOTS"):
        return [*map(Path, roots.split(os.pathsep)), *visitors, uploads_folder(), cache_folder() / "imagenette"]
    return None if is_owner() else visitors


def check_folder(data: str | None) -> str:
    """The data set given, if who asks may read it.

    Raises:
        UserError: nothing given, or outside of `allowed_roots`.
    """
    data = (data or "").strip()
    if not data:
        raise UserError("Say which pictures: give a folder on this computer, or a zip file.")
    place = data.split(":", 1)[1] if data.startswith(("imagenette:", "imagenet:")) else data
    roots = allowed_roots()
    if roots is None or place == "sample":
        return data
    if place == "imagenette":  # a download
        check_owner()
        return data
    where = Path(place).expanduser().resolve()
    if not any(root.resolve() in [where, *where.parents] for root in roots):
        raise UserError(
            f"{place} lies outside of the folders that this page may read. Whoever runs it can add it to "
            f"COLORIZER_DATA_ROOTS."
        )
    return data
