"""Run by torchrun: a short training; each process leaves the weights that it ended with."""

import dataclasses
import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from semcolor_worker.training import loop
from semcolor_worker.training.recipes import recipe

corpus, out = map(Path, sys.argv[1:])
chosen = recipe("color", "fast")
arguments = {"widths": (4, 4, 4), "label_encoding": "embedding", "bins": 260}
chosen = dataclasses.replace(
    chosen, model=dataclasses.replace(chosen.model, arguments=arguments), imagenet=False,
    steps=6, batch=4, crop=32, scale=(40, 80),
)  # fmt: skip
advance = loop.Run.advance


def advance_and_leave(run, batch):
    assert len(batch["labels"]) == 2, "half of the batch"
    advance(run, batch)
    state = {k: v.contiguous() for k, v in run.network.state_dict().items()}
    save_file(state, out / f"rank{os.environ['RANK']}.safetensors")


loop.Run.advance = advance_and_leave
loop.train(chosen, [corpus], out)
