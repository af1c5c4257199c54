"""Where torch computes, on how many threads, and by which matrix products: part of what the computing stages run, and of no other."""

import contextlib
import ctypes

import torch
import torch._dynamo  # noqa: F401  # torch loads it at the first transform or optimiser, which takes a second: once, before the jobs of a process fork

from scorebench.core.errors import InputError


def prepare(device: str) -> None:
    """Compute on a device, on one thread: a job is a core's. Raises InputError where there is no such device."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device = {device!r}: this machine has none ({str(error).partition(chr(10))[0]})") from None
    # None for the CPU, torch's own default: once a device is set, every operation takes some 2e-6 s more, half of a small one's time.
    torch.set_default_device(None if device == "cpu" else device)
    torch.set_num_threads(1)
    _keep_memory()
    if device == "cpu":
        _multiply_by_onednn()


def _keep_memory() -> None:
    """Let glibc keep what arrays leave behind: above 128 kB it would give it back, and each new array would be cleared page by page."""
    with contextlib.suppress(OSError, AttributeError):
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, KEPT)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""
KEPT = 2**30
"""Bytes."""


def _multiply_by_onednn() -> None:
    """Multiply matrices by oneDNN, twice as fast on some processors, where that is as exact.

    Torch asks oneDNN at the precision "medium" alone, which lets it round to bfloat16, and on processors with such units it does. Then it stays as it was.
    It is the precision of a GPU's products, too, whose units round to TF32: where those are computed it stays as it was.
    """
    a, b = torch.linspace(-1, 1, 2**14, device="cpu").sin().view(2, 128, 64)
    exact = a.double() @ b.double().T
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    if ((a @ b.T).double() - exact).abs().max() > ROUNDING * exact.abs().max():
        torch.set_float32_matmul_precision(precision)


ROUNDING = 1e-6
"""Relative to the largest: of 64 products float32 loses some 2e-7, bfloat16 1e-3."""
