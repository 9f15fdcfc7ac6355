"""What PyTorch and its libraries say when memory does not suffice."""

import torch

_RAN_OUT = (
    "DefaultCPUAllocator: ", "std::bad_alloc",
    "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; PyTorch has a type for few of them."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in _RAN_OUT
    )


def broke(error: BaseException) -> bool:
    """Whether nothing can be computed in this process any more."""
    return isinstance(error, torch.AcceleratorError) and not ran_out(error)


def exhausted(error: BaseException) -> bool:
    """Whether memory did not suffice, and nothing can be computed in this process any more.

    Once oneDNN had no memory to generate code in, it fails for good.
    """
    return "could not create a primitive" in str(error)
