"""The Hugging Face Hub: files up and down. What is in them is not known here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from ..errors import UserError

MODEL = "model.safetensors"  # the file of a repository that is a checkpoint
# The base of all errors of the HTTP library that huggingface_hub uses, which its version decides.
_HTTP_ERROR = cast(type[Exception], HfHubHTTPError.__bases__[0])
_FAILURES = (HfHubHTTPError, _HTTP_ERROR, HFValidationError, OSError)
_REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


def is_repository(name: str) -> bool:
    """Whether it looks like "owner/name" and not like something on this computer."""
    return bool(_REPOSITORY.fullmatch(name)) and not name.endswith(".safetensors") and not Path(name).parent.exists()


def upload(folder: Path, repository: str, private: bool = False, token: str | None = None) -> str:
    """Upload the files of a folder; the repository is made if it isn't there.

    Args:
        folder: with the files.
        repository: "owner/name".
        private: of a new repository: only its owner sees it.
        token: with the right to write; by default the one of `hf auth login`.
    Returns:
        the address of the repository.
    Raises:
        UserError: no right, no connection, or no such name.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(f'A repository on the Hub is named "owner/name", not {repository!r}.')
    api = HfApi(token=token)
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload checkpoint")
    except _FAILURES as error:
        raise UserError(
            f"{repository} could not be uploaded: {_words(error)}. Check the connection, the name, and whether "
            f"you are logged in with the right to write (hf auth login)."
        ) from error
    return str(address)


def pull(repository: str) -> Path:
    """Download a checkpoint, once; later it is read from the cache.

    Args:
        repository: "owner/name".
    Returns:
        the file.
    Raises:
        UserError: not there, or no connection.
    """
    try:
        return Path(hf_hub_download(repository, MODEL))
    except _FAILURES as error:
        raise UserError(
            f"There is no checkpoint {repository}, neither on this computer nor (as far as it can be reached) on the "
            f"Hugging Face Hub. Give a .safetensors file, the folder of a run, or a repository with a {MODEL}."
        ) from error


def _words(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
