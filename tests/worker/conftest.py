"""Small networks on two cores: threads that spin while they wait would only be in the way."""

import torch

torch.set_num_threads(1)
