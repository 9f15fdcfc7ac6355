import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from semcolor.shared.errors import Code
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec


def test_weights_come_back_as_they_were(tmp_path):
    spec = ModelSpec("color", "two_stream_unet", {"widths": [4, 6], "slope": 0.1}, detail=64)
    model = weights.build(spec)
    weights.save(tmp_path / "w.safetensors", model, torch.float32)
    back = weights.load(tmp_path / "w.safetensors")
    assert back.spec == spec
    for one, other in zip(
        model.network.state_dict().values(), back.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_other_files_are_no_weights(tmp_path):
    (tmp_path / "pickle.pth").write_bytes(b"\x80\x04N.")
    with pytest.raises(weights.WeightsError, match="cannot be read"):
        weights.load(tmp_path / "pickle.pth")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(weights.WeightsError, match="no description"):
        weights.load(tmp_path / "other.safetensors")


def test_saturation_is_part_of_the_model():
    """It strengthens what users get; training aims at the photos' own colours."""
    spec = ModelSpec("color", "two_stream_unet", {"widths": (4, 4)}, 64, saturation=1.5)
    model = weights.build(spec)
    chroma = torch.tensor([[20.0, -40.0]])
    assert torch.allclose(model.chroma(model.target(chroma)), 1.5 * chroma)


def test_precision_follows_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(weights.onednn, "computes_bfloat16", lambda: True)
    for able in ({"avx512_bf16": True}, {"amx_bf16": True, "avx512_bf16": False}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert weights.precision_for(cpu) == torch.bfloat16
    monkeypatch.setattr(weights.onednn, "computes_bfloat16", lambda: False)  # held back
    assert weights.precision_for(cpu) == torch.float32
    monkeypatch.setattr(weights.onednn, "computes_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    assert weights.precision_for(cpu) == torch.float32


def test_descriptions_of_earlier_versions_are_read(tmp_path):
    """They name the class list, which has always been the same."""
    path, with_classes = tmp_path / "w.safetensors", tmp_path / "older.safetensors"
    spec = ModelSpec("color", "two_stream_unet", {"widths": [4, 6]}, detail=64)
    weights.save(path, weights.build(spec), torch.float32)
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()[weights.METADATA_KEY])
    description["classes"] = "pascal-context-59"
    save_file(load_file(path), with_classes, {weights.METADATA_KEY: json.dumps(description)})
    assert weights.load(with_classes).spec == spec


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"network": "resnet"}, "network is “resnet”"),
        ({"arguments": {"depth": 3}}, "cannot be built as described"),
        ({"format": 2}, "format is 2"),
        ({"task": "segmentation"}, "it is a model for segmentation"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, change, reason):
    path = tmp_path / "color.safetensors"
    spec = ModelSpec("color", "two_stream_unet", {"widths": [4, 6]}, detail=64)
    network = weights.build(spec).network
    description = {"format": weights.FORMAT, **vars(spec)} | change
    save_file(network.state_dict(), path, {weights.METADATA_KEY: json.dumps(description)})
    with pytest.raises(weights.WeightsError, match=reason) as caught:
        weights.load_for("color", tmp_path)
    assert caught.value.code == Code.BAD_WEIGHTS
    assert caught.value.parameters["file"] == str(path)
