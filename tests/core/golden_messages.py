"""One message of each kind, of which `docs/protocol.md` has the bytes."""

from semcolor.protocol import results, schema
from semcolor.protocol.codec import encode_reply, encode_request
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import Stage, WorkerState

JOB = "7"
PHOTO, LABELS, MASK = "0" * 32, "1" * 32, "2" * 32
PLACE = Rectangle(8, 16, 300, 200)
TINT = schema.Tint(12, "#5b5a3c", 40, 50)
COLOR = results.Suggestion(1.5, -2.0, 0.25, "#5b5a3c")

REQUESTS: list[schema.Request] = [
    schema.Hello(protocol=8),
    schema.Pair("k" * 40),
    schema.Status(),
    schema.PutPhoto(PHOTO, 640, 480, 16, 64, 32),
    schema.PutLabels(LABELS, 640, 480, 0, 480),
    schema.Segment(PHOTO, PLACE, 352),
    schema.Colorize(PHOTO, LABELS, PLACE, 352, (TINT,)),
    schema.Recolor(PHOTO, LABELS, "", 352, edit=schema.Edit(MASK, PLACE)),
    schema.Snap(PHOTO, LABELS, PLACE, 12),
    schema.Refine(PHOTO, LABELS, PLACE, 12, MASK, True),
    schema.Suggest(PHOTO, LABELS, "", 352, 40, 50),
    schema.SuggestAll(PHOTO, LABELS, 352),
    schema.Cancel("6"),
    schema.Leave(),
    schema.Stop(),
]

REPLIES: list[results.Result | results.Progress | SemcolorError] = [
    results.HelloResult(8, 4711),
    results.PairResult(),
    results.StatusResult(
        "0.1.0", WorkerState.READY, "cuda:0",
        [results.EngineStatus("cuda:0", WorkerState.READY)], ["one"], 1, 0, 307_200, 0, "",
    ),
    results.PutResult(96),
    results.RegionResult(176),
    results.RecolorResult(PLACE, 200),
    results.SnapResult(PLACE),
    results.SuggestResult((COLOR,)),
    results.SuggestAllResult((results.ObjectColors(12, PLACE, 40, 50, 0.5, (COLOR,)),)),
    results.CancelResult(True),
    results.LeaveResult(),
    results.StopResult(),
    results.Progress(Stage.COLORIZING),
    SemcolorError(Code.TOO_MANY_JOBS, limit=256),
]  # fmt: skip


def golden() -> dict[str, bytes]:
    """The headers of all of them, by name."""
    requests = {request.op: encode_request(JOB, request) for request in REQUESTS}
    replies = {type(reply).__name__: encode_reply(JOB, reply) for reply in REPLIES}
    return requests | replies
