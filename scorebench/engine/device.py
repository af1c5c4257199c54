"""Where torch computes, and on how many threads: part of what the computing stages run, and of no other."""

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
