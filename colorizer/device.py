"""Where networks run, and which of several processes speaks."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from .errors import UserError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cuda", "mps", "cpu")
_LENT_SECONDS = 20  # at most, for one photo: to load a network of 900 MB and run it once
Function = TypeVar("Function", bound=Callable[..., object])


def is_first_process() -> bool:
    """True outside `accelerate launch` and `torchrun`, and in their first process."""
    return os.environ.get("RANK", "0") == "0"


def choose_device(wanted: str) -> torch.device:
    """The device meant by "auto", "cuda", "mps" or "cpu".

    Raises:
        UserError: it is not there.
    """
    import torch

    has_cuda = torch.cuda.is_available() and not gpu_is_lent_by_call()  # where a GPU is lent, one is feigned
    available = {"cuda": has_cuda, "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if wanted not in available:
        raise UserError(f"There is no device {wanted!r}. Choose one of: auto, {', '.join(available)}.")
    if not available[wanted]:
        raise UserError(f"This machine has no {wanted} device that PyTorch can use. Use --device auto.")
    return torch.device(wanted)


def gpu_is_lent_by_call() -> bool:
    """True on a Hugging Face Space of the hardware ZeroGPU: this process has no GPU, but functions that went through
    `on_lent_gpu` have one, in a process of their own that is forked off for them."""
    told = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return told and multiprocessing.parent_process() is None


def on_lent_gpu(function: Function) -> Function:
    """The function, run with a GPU where one is lent; what it takes and returns is pickled there. Elsewhere itself.

    See https://huggingface.co/docs/hub/spaces-zerogpu. A Space of that hardware needs one such function at its start.
    """
    if not gpu_is_lent_by_call():
        return function
    import spaces

    lent: Function = spaces.GPU(duration=_LENT_SECONDS)(function)
    return lent


def half_precision(device: torch.device) -> torch.dtype | None:
    """The 16-bit floats that a device computes large networks faster in; None where it doesn't."""
    import torch

    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if has_bfloat16(device) else None


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself. Older versions of PyTorch can't tell of a CPU."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))


def cores() -> int:
    """How many threads compute at a time: as many as PyTorch uses, where it is in use."""
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def cores_shared(jobs: int) -> Iterator[None]:
    """Meanwhile each of several jobs that run side by side computes on its share of the cores: threads that wait for
    each other's cores take twice the time (`benchmarks/archive.py`)."""
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(max(threads // jobs, 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the arrays that come next: a page that is given back and fetched anew
    costs more than it takes to compute what is in it.

    glibc gives blocks above a size back at once, and that size follows the largest block that was freed, up to 32 MB
    (`man mallopt`, M_MMAP_THRESHOLD). Elsewhere this changes nothing.
    """
    import numpy as np

    np.empty(31 << 20, np.uint8)


def device_identity(device: torch.device) -> str:
    """A name that is the same for every process that means this very device, and another for any other one."""
    import torch

    if device.type != "cuda":
        return device.type
    index = torch.cuda.current_device() if device.index is None else device.index
    return f"cuda-{torch.cuda.get_device_properties(index).uuid}"
