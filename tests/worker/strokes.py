"""What the tests of the engine share."""

import gc

import torch

from semcolor.protocol.schema import Colorize
from semcolor.shared.geometry import Rectangle


def edited_and_anew(edited, anew, gray, detail):
    """Colour after strokes, by an engine that mends and by one that has never seen the photo."""
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    labels = torch.zeros_like(gray)
    edited.put_plane("photo", gray)
    edited.put_plane("edit 0", labels)
    edited.colorize(Colorize("photo", "edit 0", whole, detail))
    for number, (x, y, class_id) in enumerate([(50, 60, 36), (700, 500, 50), (60, 70, 0)]):
        region = Rectangle(x, y, 90, 70)
        labels = labels.clone()
        labels[region.rows, region.columns] = class_id
        pixels = torch.full((region.pixels,), class_id, dtype=torch.uint8)
        name = f"edit {number + 1}"
        edited.edit_plane(name, f"edit {number}", region, pixels)
        request = Colorize("photo", name, whole, detail)
        anew.put_plane("photo", gray)
        anew.put_plane(name, labels)
        anew.forget()
        yield edited.colorize(request), anew.colorize(request)


def held():
    """Bytes of all tensors that Python holds."""
    gc.collect()
    tensors = [found for found in gc.get_objects() if issubclass(type(found), torch.Tensor)]
    storages = [t.untyped_storage() for t in tensors if t.layout == torch.strided]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def too_large():
    return torch.empty(1 << 50)
