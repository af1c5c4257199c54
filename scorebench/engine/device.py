"""Where torch computes, and on how many threads: part of what the computing stages run, and of no other."""

import torch


def prepare(device: str) -> None:
    """Compute on a device, on one thread: a job is a core's."""
    torch.set_default_device(device)
    torch.set_num_threads(1)
