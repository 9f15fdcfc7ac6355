"""The paper authors' checkpoints: their layout, filled from a seed, and what their code made of it.

``data/published_seed1.npz`` was recorded with the authors' own code: one made-up picture, and the
outputs of the networks that :func:`checkpoint` writes here, thinned out.
"""

import json
import pickle
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from semcolor.cli import main as cli
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import color
from semcolor_worker.models import authors, weights
from semcolor_worker.models.weights import ModelSpec

RECORDED = Path(__file__).parent / "data" / "published_seed1.npz"
SEEDS = {"color": 1, "segmentation": 1001}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def layout(task):
    """Shape of each published tensor by name."""
    return color_layout() if task == "color" else segmentation_layout()


def color_layout():
    shapes = {"final_conv.weight": (2, 64, 3, 3)}
    for level, (n_in, n_out) in enumerate(pairwise([1, 32, 64, 128, 256, 512, 512]), 1):
        shapes[f"enc{level}.conv1.weight"] = (n_out, n_in, 3, 3)
        shapes[f"enc{level}.conv2.weight"] = (n_out, n_out, 3, 3)
    for level, (n_in, n_out) in enumerate(pairwise([1024, 1024, 512, 256, 128, 64]), 1):
        shapes[f"dec{level}.conv1.weight"] = (n_in, n_out, 3, 3)  # transposed
        shapes[f"dec{level}.conv2.weight"] = (n_out, n_out, 3, 3)
    return shapes


def segmentation_layout():
    shapes = {}

    def add(block, **layers):
        for layer, size in layers.items():
            if isinstance(size, tuple):
                shapes[f"{block}.{layer}.weight"] = (*size, 3, 3)
            else:
                shapes.update({f"{block}.{layer}.{leaf}": (size,) for leaf in NORM[:-1]})
                shapes[f"{block}.{layer}.{NORM[-1]}"] = ()

    shapes.update({f"batchNormInitial.{leaf}": (1,) for leaf in NORM[:-1]})
    shapes[f"batchNormInitial.{NORM[-1]}"] = ()
    add("firstConv", conv1=(16, 1), batch1=16, conv2=(16, 16), batch2=16)
    add("lastConv", conv1=(60, 16), batch1=60, conv2=(60, 60), batch2=60)
    widths = [16, 32, 64, 128, 256]
    for row, n in enumerate(widths):
        for column in range(5):
            name = f"convSequence{row}_{column}to{row}_{column + 1}"
            add(name, batch1=n, conv1=(n, n), batch2=n, conv2=(n, n))
    for row, (fine, coarse) in enumerate(pairwise(widths)):
        for column in range(3):
            name = f"subSamplingSequence{row}_{column}to{row + 1}_{column}"
            add(name, batch1=fine, conv1=(coarse, fine), batch2=coarse, conv2=(coarse, coarse))
        for column in range(3, 6):
            name = f"upSamplingSequence{row + 1}_{column}to{row}_{column}"
            up = {"convTranspose1": (coarse, fine)}
            add(name, batch1=coarse, **up, batch2=fine, conv2=(fine, fine))
    return shapes


def seeded(task):
    """The state dict that the recorded outputs belong to; values are drawn by sorted name."""
    random = np.random.Generator(np.random.PCG64(SEEDS[task]))
    ranges = {"weight": (0.5, 1.5), "running_var": (0.5, 1.5)}
    state = {}
    for name, shape in sorted(layout(task).items()):
        if not shape:
            state[name] = torch.tensor(1000)
            continue
        if len(shape) == 1:
            value = random.uniform(*ranges.get(name.rpartition(".")[2], (-0.2, 0.2)), shape)
        else:
            transposed = "Transpose" in name or (name[:3] == "dec" and "conv1" in name)
            inputs = shape[0] / 4 if transposed else shape[1]
            value = random.standard_normal(shape) * np.sqrt(2 / (9 * inputs))
        state[name] = torch.from_numpy(value.astype(np.float32))
    return state


def blank(task):
    """The layout with zeros that take no room."""
    return {name: torch.zeros(()).expand(shape) for name, shape in layout(task).items()}


def checkpoint(path, state, **options):
    torch.save({"G": state}, path, **options)
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Both seeded checkpoints, imported."""
    folder = tmp_path_factory.mktemp("authors")
    files = {task: checkpoint(folder / f"{task}.pth.tar", seeded(task)) for task in SEEDS}
    authors.import_checkpoints(files, folder)
    yield folder
    shutil.rmtree(folder)  # 400 MB


def test_imported_weights_compute_what_the_authors_code_computes(imported, capsys):
    comparisons = authors.verify(imported, RECORDED)
    assert [comparison.name for comparison in comparisons] == [
        "color_output0", "seg_logits0", "seg_argmax0",
    ]  # fmt: skip
    assert all(comparison.agrees for comparison in comparisons), comparisons
    assert cli.main(["weights", "verify", str(imported), str(RECORDED)]) == 0
    assert "color_output0" in capsys.readouterr().out


def test_imported_files_are_exact_and_name_their_terms(imported):
    for task in SEEDS:
        with safe_open(imported / f"{task}.safetensors", framework="pt") as file:
            state = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
        assert {value.dtype for value in state} <= {torch.float32, torch.int64}
        spec = weights.load(imported / f"{task}.safetensors").spec
        assert "non-commercial and research use only" in spec.licence
        assert spec.task == task


@pytest.mark.parametrize(
    ("task", "change", "differing"),
    [
        ("color", {"gray": "lightness"}, ["color_output0"]),
        ("color", {"black": 0.0}, ["color_output0"]),
        ("segmentation", {"gray": "lightness"}, ["seg_logits0", "seg_argmax0"]),
        ("segmentation", {"black": -1.0}, ["seg_logits0", "seg_argmax0"]),
    ],
)
def test_other_conventions_are_found_out(imported, tmp_path, capsys, task, change, differing):
    model = weights.load(imported / f"{task}.safetensors")
    spec = ModelSpec(**(vars(model.spec) | change))
    weights.save(
        tmp_path / f"{task}.safetensors", weights.Model(model.network, spec), torch.float32
    )
    assert cli.main(["weights", "verify", str(tmp_path), str(RECORDED)]) == 1
    assert f"not as recorded: {', '.join(differing)}" in capsys.readouterr().err


def test_a_slightly_other_weight_is_found_out(imported, tmp_path):
    model = weights.load(imported / "color.safetensors")
    model.network.decoder[0].conv2.weight *= 1.001
    weights.save(tmp_path / "color.safetensors", model, torch.float32)
    (comparison,) = authors.verify(tmp_path, RECORDED)
    assert not comparison.agrees


def test_the_published_conventions():
    model = weights.build(authors.SPECS["color"])
    gray = torch.arange(256).to(torch.uint8)
    seen = model.normalise(color.gray_lightness(gray))
    assert torch.allclose(seen, 2 * gray.float() / 255 - 1, atol=1e-6)
    assert torch.allclose(model.chroma(torch.tensor([0.0, 1.0])), torch.tensor([-0.5, 127.0]))
    chroma = torch.tensor([-30.0, 0.0, 80.0])
    assert torch.allclose(model.chroma(model.target(chroma)), chroma)


def test_descriptions_without_conventions_mean_lightness(tmp_path):
    """As in files that were written before the fields existed."""
    network = weights.build(ModelSpec("color", "two_stream_unet", {"widths": (4, 6, 8)}, 64))
    fields = {"format": 1, "task": "color", "network": "two_stream_unet", "detail": 64}
    fields |= {"arguments": {"widths": (4, 6, 8)}, "chroma_scale": 100.0, "steps": 5}
    path = tmp_path / "color.safetensors"
    save_file(network.network.state_dict(), path, {weights.METADATA_KEY: json.dumps(fields)})
    model = weights.load(path)
    assert model.normalise(torch.tensor([0.0, 75.0])).tolist() == [-1, 0.5]
    assert model.chroma(torch.tensor(0.3)).item() == pytest.approx(30)


def test_weights_that_do_not_fit_are_refused_in_one_short_sentence(tmp_path):
    path = tmp_path / "segmentation.safetensors"
    description = {"format": 1, **vars(authors.SPECS["segmentation"])}
    save_file({"x": torch.zeros(1)}, path, {weights.METADATA_KEY: json.dumps(description)})
    with pytest.raises(SemcolorError, match="does not fit its own description") as caught:
        weights.load(path)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("color", {"final_conv.weight": None}, "color checkpoint: it lacks final_conv.weight\\. "),
        (
            "color",
            {"enc7.conv1.weight": torch.zeros(1)},
            "has the unexpected enc7.conv1.weight\\.",
        ),
        (
            "color",
            {"dec2.conv1.weight": torch.zeros(512, 1024, 3, 3)},
            "has dec2.conv1.weight as 512×1024×3×3 instead of 1024×512×3×3\\. ",
        ),
        (
            "segmentation",
            {"lastConv.batch2.bias": None, "lastConv.batch2.shift": torch.zeros(60)},
            "lacks lastConv.batch2.bias and has the unexpected lastConv.batch2.shift\\. ",
        ),
    ],
)
def test_other_layouts_are_refused_by_name(tmp_path, task, change, message):
    state = {k: v for k, v in (blank(task) | change).items() if v is not None}
    path = checkpoint(tmp_path / "c.pth.tar", state)
    with pytest.raises(SemcolorError, match=message):
        authors.import_checkpoints({task: path}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_long_differences_are_cut_short(tmp_path):
    path = checkpoint(tmp_path / "c.pth.tar", blank("segmentation"))
    with pytest.raises(SemcolorError, match=r"and 20 more and has .* and 614 more\. "):
        authors.import_checkpoints({"color": path}, tmp_path)


def test_one_bad_checkpoint_leaves_everything_as_it_was(tmp_path):
    good = checkpoint(tmp_path / "good.pth.tar", blank("segmentation"))
    bad = checkpoint(tmp_path / "bad.pth.tar", {"enc1.conv1.weight": torch.zeros(1)})
    before = tmp_path / "segmentation.safetensors"
    before.write_bytes(b"precious")
    with pytest.raises(SemcolorError, match="lacks"):
        authors.import_checkpoints({"segmentation": good, "color": bad}, tmp_path)
    assert before.read_bytes() == b"precious"


def test_the_format_of_old_pytorch_is_read_too(tmp_path):
    path = checkpoint(
        tmp_path / "c.pth.tar", blank("segmentation"), _use_new_zipfile_serialization=False
    )
    (written,) = authors.import_checkpoints({"segmentation": path}, tmp_path)
    assert weights.load(written).spec.recipe == "published"


class Payload:
    """Unpickling this makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_does_not_run(tmp_path, capsys, zipped):
    trace, path = tmp_path / "trace", tmp_path / "c.pth.tar"
    pickle.loads(pickle.dumps(Payload(trace)))
    trace.rmdir()  # so the payload works
    state = blank("color") | {"final_conv.weight": Payload(trace)}
    checkpoint(path, state, _use_new_zipfile_serialization=zipped)
    assert cli.main(["weights", "import", "--color", str(path), "-o", str(tmp_path)]) == 1
    assert "runs no code" in capsys.readouterr().err
    assert not trace.exists()
    assert not (tmp_path / "color.safetensors").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_checkpoints_are_refused(tmp_path, zipped, share):
    path = checkpoint(
        tmp_path / "c.pth.tar", blank("segmentation"), _use_new_zipfile_serialization=zipped
    )
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SemcolorError, match=r"fetch it (from its authors )?again") as caught:
        authors.import_checkpoints({"segmentation": path}, tmp_path)
    assert caught.value.code == Code.BAD_WEIGHTS
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x80", bytes(1000)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "c.pth.tar"
    path.write_bytes(content)
    with pytest.raises(SemcolorError, match="fetch it"):
        authors.import_checkpoints({"color": path}, tmp_path)


@pytest.mark.parametrize("saved", [{"H": {}}, {"G": {"enc1": 5}}, [1, 2]])
def test_checkpoints_without_tensors_under_g_are_refused(tmp_path, saved):
    torch.save(saved, tmp_path / "c.pth.tar")
    with pytest.raises(SemcolorError, match="no tensors under “G”"):
        authors.import_checkpoints({"color": tmp_path / "c.pth.tar"}, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import", "-o", "out"], 3, "Name what to import"),
        (["import", "--color", "missing.pth.tar", "-o", "out"], 3, "no file missing.pth.tar"),
        (["import", "--segmentation", "good", "-o", "good"], 8, "cannot be written"),
        (["verify", ".", "r.npz"], 3, "no file ./color.safetensors"),
    ],
)
def test_failures_have_a_sentence_and_a_code(
    tmp_path, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "good", blank("segmentation"))
    assert cli.main(["weights", *arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "no array “gray0”"),
        ({"gray0": np.zeros((64, 64), np.uint8)}, "no array “labels0”"),
        ({"gray0": np.zeros((64, 80), np.uint8)}, "times 32 pixels"),
        ({"gray0": np.zeros((32, 64), np.uint8)}, "times 32 pixels"),
        ({"gray0": np.zeros((64, 64), np.float32)}, "uint8"),
        (
            {
                "gray0": np.zeros((64, 64), np.uint8),
                "labels0": np.zeros((64, 64), np.uint8),
                "color_output0": np.zeros((2, 15, 16)),
            },
            "recorded as 2×15×16, the network gives 2×16×16",
        ),
        ({"gray0": np.array([None])}, "not an .npz file"),
    ],
)
def test_wrong_recordings_are_refused(imported, tmp_path, arrays, message):
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(SemcolorError, match=message):
        authors.verify(imported, tmp_path / "r.npz")


def test_a_truncated_recording_is_refused(imported, tmp_path):
    (tmp_path / "r.npz").write_bytes(RECORDED.read_bytes()[:9000])
    with pytest.raises(SemcolorError, match=r"not an \.npz file"):
        authors.verify(imported, tmp_path / "r.npz")
