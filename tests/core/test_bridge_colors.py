"""A label layer that lost its colours is refused: through the bridge, frame by frame."""

import io
import json
import struct

import numpy as np
import pytest

from semcolor.bridge import server as bridge
from semcolor.photos.label_colors import palette, to_rgba

WIDTH, HEIGHT = 40, 30
PALETTE = np.insert(palette(), 3, 255, axis=1).tobytes()
SKY = 50


def no_worker(gone):
    raise AssertionError("labels need no worker")


def frame(op, payload=b"", **fields):
    header = json.dumps({"op": op, **fields}).encode()
    return struct.pack(">II", len(header), len(payload)) + header + payload


def answers(*frames):
    """All frames that the bridge sends: (header, payload)."""
    out = io.BytesIO()
    bridge.serve(io.BytesIO(b"".join(frames)), out, no_worker)
    raw, received = out.getvalue(), []
    while raw:
        header_bytes, payload_bytes = struct.unpack(">II", raw[:8])
        end = 8 + header_bytes + payload_bytes
        received.append((json.loads(raw[8 : 8 + header_bytes]), raw[8 + header_bytes : end]))
        raw = raw[end:]
    return received


def labelled(rgba):
    """Send a label layer, in two strips."""
    half = HEIGHT // 2
    return [
        frame("begin_labels", PALETTE, width=WIDTH, height=HEIGHT),
        frame("rows", rgba[:half].tobytes()),
        frame("rows", rgba[half:].tobytes()),
    ]


PHOTO = [
    frame("begin_photo", width=WIDTH, height=HEIGHT, format="Y' u8"),
    frame("rows", bytes(WIDTH * HEIGHT)),
]
READ_BACK = frame("label_rows", first_row=0, rows=HEIGHT)
BEFORE = to_rgba(np.full((HEIGHT, WIDTH), SKY, np.uint8))


def all_classes():
    """Stripes of all classes, as a label layer."""
    ids = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) % 59 + 1
    return to_rgba(ids.astype(np.uint8))


def gray(rgba):
    """As GIMP has it after Image ▸ Mode ▸ Grayscale."""
    light = rgba[..., :3].astype(float) @ (0.2126, 0.7152, 0.0722)
    out = np.repeat(light[..., None], 4, axis=2)
    out[..., 3] = rgba[..., 3]
    return out.round().astype(np.uint8)


def shifted(rgba):
    """As with another profile: every colour became some other."""
    out = rgba.astype(int)
    out[..., :3] = out[..., :3] * 3 // 4 + 20
    return out.astype(np.uint8)


def transparent_but(rgba, rows):
    out = rgba.copy()
    out[rows:] = 0
    return out


@pytest.mark.parametrize(
    "lost",
    [gray(all_classes()), shifted(all_classes()), transparent_but(gray(all_classes()), 2)],
    ids=["gray", "another profile", "gray, most of it unlabelled"],
)
def test_a_label_layer_that_lost_its_colours_is_refused(lost):
    replies = answers(*PHOTO, *labelled(BEFORE), *labelled(lost), READ_BACK)
    refusal, read_back = replies[-2], replies[-1]
    assert refusal[0]["type"] == "error"
    assert refusal[0]["code"] == "foreign_colors"
    assert read_back[1] == BEFORE.tobytes()  # the labels before are still there


def test_what_has_many_soft_edges_is_none_of_that():
    """Four fifths are in colours of no class, as after scaling tiny patches: told, not refused."""
    soft = BEFORE.copy()
    soft[:, : WIDTH * 4 // 5, :3] = (1, 2, 3)
    replies = answers(*PHOTO, *labelled(soft), READ_BACK)
    assert replies[-2][0]["type"] == "result"
    assert replies[-2][0]["ambiguous"] == HEIGHT * WIDTH * 4 // 5
    assert replies[-1][1] == BEFORE.tobytes()


def test_an_empty_label_layer_has_lost_nothing():
    replies = answers(*PHOTO, *labelled(np.zeros_like(BEFORE)), READ_BACK)
    assert {header["type"] for header, _ in replies} == {"result"}
    assert not any(replies[-1][1])
