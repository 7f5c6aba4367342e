"""The Hugging Face Hub: files up and down. What is in them is not known here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

from ..errors import UserError

MODEL = "model.safetensors"  # the file of a repository that is a checkpoint
FILES = (MODEL, "pytorch_model.bin")  # what else it may be called, in the order of preference
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


def cached(repository: str) -> Path | None:
    """The file of a checkpoint that was downloaded before, if it was."""
    found = (try_to_load_from_cache(repository, name) for name in FILES)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def bytes_there(repository: str) -> int:
    """How much of a repository lies in the cache, what is still being downloaded included."""
    blobs = Path(HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "blobs")
    return sum(path.stat().st_size for path in blobs.glob("*") if path.is_file())


def pull(repository: str) -> Path:
    """Download a checkpoint, once; later it is read from the cache.

    Args:
        repository: "owner/name".
    Returns:
        the file.
    Raises:
        UserError: not there, or no connection.
    """
    for name in FILES:
        try:
            return Path(hf_hub_download(repository, name))
        except EntryNotFoundError:
            continue
        except _FAILURES as error:
            if (path := cached(repository)) is not None:
                return path
            raise _no_checkpoint(repository) from error
    raise _no_checkpoint(repository)


def _no_checkpoint(repository: str) -> UserError:
    return UserError(
        f"There is no checkpoint {repository}, neither on this computer nor (as far as it can be reached) on the "
        f"Hugging Face Hub. Give a .safetensors file, the folder of a run, or a repository with a {' or '.join(FILES)}."
    )


def _words(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
