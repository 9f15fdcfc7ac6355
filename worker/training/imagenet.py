"""What ImageNet teaches the one encoder that can begin with it.

The weights and where they are from: ``pretrained/``, here beside.
"""

from importlib import resources
from pathlib import Path

from safetensors.torch import load_file

from semcolor_worker.models.networks.efficientnet_lite0 import EfficientNetLite0


def begin_with_imagenet(encoder: EfficientNetLite0) -> None:
    """Give an encoder the published weights, for gray. Raises RuntimeError where they don't fit."""
    folder = resources.files(__package__).joinpath("pretrained")
    encoder.load_state_dict(load_file(Path(str(folder), "efficientnet_lite0.safetensors")))
