"""Memory of the device that an engine computes on."""

import torch

from .resources import available_memory

_AT_MOST = 1 << 30  # bytes on the host, where other programs want memory too
_SHARE = 0.25  # of the host's memory that is free; twice as much of a GPU's


def feature_budget(device: torch.device) -> int:
    """Bytes of photos at detail, with all that the network knows of them, to keep on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(2 * _SHARE * free)
    return min(_AT_MOST, int(_SHARE * available_memory()))


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; PyTorch has no type for it on the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "DefaultCPUAllocator" in str(error) and "memory" in str(error)
    )
