"""Memory of the device that an engine computes on."""

import torch

from semcolor_worker.resources import available_memory, give_back_memory

RETRY_SECONDS = 60.0  # how long after it ran out it is tried again whether there is enough now
_AT_MOST = 1 << 30  # bytes on the host, where other programs want memory too
_ROOM = 1 << 30  # bytes, many times what made the engine leave
_SHARE = 0.25  # of the host's memory that is free; twice as much of a GPU's


def feature_budget(device: torch.device) -> int:
    """Bytes of photos at detail, with all that the network knows of them, to keep on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(2 * _SHARE * free)
    return min(_AT_MOST, int(_SHARE * available_memory()))


def has_room(gpu: torch.device) -> bool:
    """Whether a GPU whose memory did not even suffice for a small picture has some again."""
    free, total = torch.cuda.mem_get_info(gpu)
    return free >= min(_ROOM, total // 4)


def give_back(device: torch.device) -> None:
    """Let the system have what was freed and is only kept for the next allocation."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    give_back_memory()
