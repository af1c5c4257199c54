"""Where torch computes, and on how many threads: part of what the computing stages run, and of no other."""

import torch

from scorebench.core.errors import InputError


def prepare(device: str) -> None:
    """Compute on a device, on one thread: a job is a core's. Raises InputError where there is no such device."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device = {device!r}: this machine has none ({str(error).partition(chr(10))[0]})") from None
    torch.set_default_device(device)
    torch.set_num_threads(1)
