"""What a supervisor and its engine tell each other, over a PAIR socket; neither needs torch here.

A message is its envelope, a small msgpack map, and raw frames. The client's request and the
engine's answer to it go through as they are: the supervisor does not write them anew.
"""

from dataclasses import dataclass, field
from typing import Any

from semcolor.protocol.codec import construct, fields_of, pack, unpack
from semcolor.protocol.results import Failure
from semcolor.shared.geometry import Rectangle

ENGINE_KEY = "SEMCOLOR_ENGINE_KEY"
"""The variable of an engine's environment with its endpoint's key; empty where it needs none."""
OUT_OF_MEMORY = 71
"""Exit status of an engine that can compute nothing any more for lack of memory."""

# To the engine


@dataclass(frozen=True)
class Plane:
    """A photo or label map; its rows follow in messages of their own, block by block."""

    digest: str
    width: int
    height: int
    depth: int


@dataclass(frozen=True)
class EditedPlane:
    """A label map like one that the engine has, but for a rectangle."""

    digest: str
    base: str
    region: Rectangle


@dataclass(frozen=True)
class Job:
    """Work. Frames: the client's header; the pixels of each edit.

    ``edits`` come before the work; their bases are used up unless the job needs them too.
    ``low_memory``: the process that had the job before had not enough for it.
    """

    low_memory: bool = False
    edits: list[EditedPlane] = field(default_factory=list)


@dataclass(frozen=True)
class Forget:
    """Whoever had these photos and label maps is gone: nothing of them is to stay."""

    digests: list[str]


@dataclass(frozen=True)
class Cancel:
    """Nobody wants the job in hand any more. Nothing else is sent while there is one."""


# From the engine


@dataclass(frozen=True)
class Loading:
    """The process runs and reads its models."""


@dataclass(frozen=True)
class Ready:
    """It takes jobs. ``devices``: all that may be used; ``models``: their titles.

    ``fault``: why it does not compute on another device, on which it was to.
    """

    device: str
    devices: list[str]
    models: list[str]
    fault: Failure | None = None


@dataclass(frozen=True)
class CannotStart:
    """It can take no jobs, and waits for its end."""

    failure: Failure


@dataclass(frozen=True)
class Missing:
    """The job in hand needs these planes besides; it is to be sent again with them."""

    digests: list[str]
    dropped: list[str]


@dataclass(frozen=True)
class Reply:
    """The job is done. Frames: the header for the client, and its pixels if there are any.

    ``device``: lack of memory may have moved the engine. ``dropped``: planes that it has no more.
    """

    device: str
    dropped: list[str]


Message = Plane | Job | Forget | Cancel | Loading | Ready | CannotStart | Missing | Reply
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Plane, Job, Forget, Cancel, Loading, Ready, CannotStart, Missing, Reply)
}


def encode(message: Message) -> bytes:
    """The envelope of a message."""
    return pack({"kind": type(message).__name__, **fields_of(message)})


def decode(envelope: bytes) -> Message:
    """The message of an envelope."""
    fields: dict[str, Any] = unpack(envelope)
    return construct(_KINDS[fields.pop("kind")], fields)
