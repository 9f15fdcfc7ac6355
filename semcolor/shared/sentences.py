"""Codes in words. Every sentence is whole and says what to do; translations replace it as a whole.

Only what shows something to a person asks here: the command line takes the English sentence, the
GIMP panel looks its translation up first. Braces hold the parameters of the code.
"""

import string
from collections.abc import Callable, Mapping

from .codes import Code, Parameter
from .states import Stage, WorkerState

ERRORS: dict[Code, str] = {
    Code.MALFORMED: (
        "The parts of semcolor do not understand each other ({detail}). Install the same version "
        "of all of them, then restart the worker."
    ),
    Code.MESSAGE_TOO_LARGE: "A message is larger than the worker takes ({detail}).",
    Code.PROTOCOL_VERSION: (
        "The worker speaks protocol {theirs}, this client {ours}. Install the same semcolor "
        "version on both, then restart the worker."
    ),
    Code.PLUGIN_VERSION: (
        "The GIMP plug-in and semcolor are of different versions. Run semcolor's set-up again, "
        "then restart GIMP."
    ),
    Code.FORBIDDEN: "Only the worker's own user may stop it.",
    Code.UNKNOWN_PHOTO: "The worker no longer has the photo. Send it again.",
    Code.UNKNOWN_LABELS: "The worker no longer has the labels. Send them again.",
    Code.PHOTO_TOO_LARGE: (
        "{width} × {height} pixels are more than semcolor takes ({megapixels} megapixels, "
        "{side} on a side). Scale the photo down."
    ),
    Code.FILE_TOO_LARGE: (
        "{file} has {width} × {height} pixels, more than semcolor takes ({megapixels} megapixels, "
        "{side} on a side). Scale it down."
    ),
    Code.SIZE_MISMATCH: (
        "{what} has {width} × {height} pixels, the photo {photo_width} × {photo_height}. They "
        "must be the same."
    ),
    Code.LABELS_MISMATCH: (
        "The labels or the selection do not fit the photo ({detail}). Send the photo and its "
        "labels again."
    ),
    Code.EMPTY_SELECTION: "Nothing of the photo is selected. Select an object first.",
    Code.TOO_MANY_TINTS: "At most {limit} objects of a photo can have colours of their own.",
    Code.BAD_NOTES: (
        "Line {line} of {file} is no colour note: “{text}”. Write a class's name and a colour, for "
        "instance “clothes: #5b5a3c”."
    ),
    Code.LABEL_FILE_TOO_LARGE: "This label map makes too large a file ({limit} MiB at most).",
    Code.FOREIGN_COLORS: (
        "{share} of the label layer is in colours that are no class. If the image got another "
        "colour mode or profile, undo that; else delete the label layer and start again."
    ),
    Code.NO_LABEL_MAP: (
        "{share} of {file} is in colours that are no class. Is it a label map? `semcolor segment` "
        "writes one to start from."
    ),
    Code.UNKNOWN_CLASS: (
        "{file} has the value {value} at ({x}, {y}), but classes end at {last} ({name})."
    ),
    Code.ENGINE_FAILED: "The engine failed ({detail}). The reason is in {log}, where it runs.",
    Code.ENGINE_DIED: (
        "The engine on {device} died {times} times in a row. The reason is at the end of {log}, "
        "where it runs."
    ),
    Code.QUARANTINED: (
        "The engine died twice on this photo, perhaps for lack of memory. Try a smaller detail, or "
        "again in some minutes. The reason is at the end of {log}, where it runs."
    ),
    Code.NO_MEMORY: (
        "The worker's memory does not suffice for this photo, even at the smallest detail. Close "
        "other programs there, or scale the photo down."
    ),
    Code.WORKER_TOO_SMALL: (
        "This picture needs {needed} MB, and the worker keeps {kept} MB. Scale the photo down, or "
        "use a worker with more memory."
    ),
    Code.ENGINE_TOO_SMALL: (
        "The engine has too little memory for this photo. Scale it down, or use a worker with "
        "more memory."
    ),
    Code.NO_SUGGESTIONS: (
        "The colour model in use suggests no colours. `semcolor weights use`, where the worker "
        "runs, chooses one that does."
    ),
    Code.NO_DEVICE: (
        "There is no {device} where the worker runs. `semcolor worker devices` there chooses "
        "others, for instance {example}."
    ),
    Code.DEVICE_UNUSABLE: (
        "{device} can't be used ({reason}), so the processor computes. A newer graphics driver, "
        "semcolor's set-up run again, or a restart of the computer may help; {device} is tried "
        "again now and then."
    ),
    Code.CANCELLED: "It was cancelled.",
    Code.SUPERSEDED: "A newer edit took the place of this one.",
    Code.NO_SUCH_HOST: (
        "No machine is found under the name in {address}. Is this one in the same network? Ask for "
        "an invitation with an address: `semcolor worker invite NAME --address ADDRESS`."
    ),
    Code.UNREACHABLE: (
        "The worker at {address} does not answer. Is it running? `semcolor worker status` tells, "
        "`semcolor worker start` starts one here."
    ),
    Code.NOT_STARTED: "The worker did not start. The reason is at the end of {log}.",
    Code.NOT_ANSWERING: (
        "The worker of this machine runs, but does not answer. Close other programs and wait, or "
        "end it with `semcolor worker stop`. What it does is at the end of {log}."
    ),
    Code.NOT_RUNNING: ("No worker runs on this machine. `semcolor worker start` starts one."),
    Code.NOT_SERVING_LAN: (
        "No worker serves the LAN here. Start one with `semcolor worker serve --listen "
        "0.0.0.0:7777` first."
    ),
    Code.KEY_REFUSED: (
        "The worker at {address} does not know this client's key: the invitation has been used, or "
        "has ended. Ask for a new one (`semcolor worker invite NAME` there, `semcolor connect "
        "LINE` here)."
    ),
    Code.INVITATION: (
        "This is not a whole invitation. Paste the one line that `semcolor worker invite NAME` "
        "printed."
    ),
    Code.INVITATION_USED: "This invitation has been used. Ask the worker's owner for a new one.",
    Code.NOT_PAIRED: "Connect with the invitation first: `semcolor connect LINE`.",
    Code.NO_SYSTEMD: (
        "There is no systemd here, which would start the worker. Let your system's own service "
        "manager run `semcolor worker serve`."
    ),
    Code.SERVICE_FAILED: "systemd says: {reason}. `{journal}` tells more.",
    Code.TOO_MANY_JOBS: (
        "{limit} requests of this client wait already, which is as many as may. Wait for their "
        "answers, then go on."
    ),
    Code.TOO_MANY_SESSIONS: (
        "You have {limit} connections to this worker already, and it takes no more of one person. "
        "Close a few of the programs that use it."
    ),
    Code.TOO_MANY_REQUESTS: (
        "The worker takes at most {limit} requests a second of one person. Try again in a moment."
    ),
    Code.CLIENT_EXISTS: (
        "{name} was invited before. Choose another name, or end that invitation with --replace."
    ),
    Code.NO_CLIENT: "Nobody was invited as {name}. `semcolor worker clients` lists those who were.",
    Code.CLIENT_NAME: "“{name}” is not a name for a client. Use letters, digits, - and _.",
    Code.LISTEN_ADDRESS: (
        "“{address}” is not HOST:PORT. Say for instance 0.0.0.0:7777, or [::1]:7777; a port is 1 "
        "to 65535."
    ),
    Code.LISTEN_LOOPBACK: (
        "On this machine “{host}” means {address}, which no other machine reaches. Use 0.0.0.0 for "
        "all of its addresses, or one of them."
    ),
    Code.LISTEN_HOST: "This machine has no address “{host}”. Use 0.0.0.0 for all.",
    Code.CANNOT_LISTEN: (
        "The worker cannot listen on {address} ({reason}). Choose an address of this machine and "
        "a free port."
    ),
    Code.NOT_INSTALLED: (
        "No worker is installed here. `semcolor setup` installs it, and `semcolor connect LINE` "
        "uses another machine's."
    ),
    Code.LAN_NOT_INSTALLED: (
        "This needs packages that are not installed. Install semcolor[worker,lan] there."
    ),
    Code.TRAINING_NOT_INSTALLED: "Training needs {module}. Install it with `{command}`.",
    Code.ALREADY_RUNNING: (
        "A worker runs on this machine already. `semcolor worker stop` ends it."
    ),
    Code.DETAIL: (
        "{detail} pixels are no detail. Say at most {limit}, or 0 for what the model was made for."
    ),
    Code.DEVICE_NAME: "“{name}” is no device. Say for instance cuda:0,cuda:1, mps, cpu or all.",
    Code.NO_FILE: "There is no file {file}.",
    Code.NO_DATA_FOLDER: "There is no folder {folder}. Say where the labelled photos are.",
    Code.NO_PHOTOS: "There are no labelled photos in {folder}. Name folders as the docs describe.",
    Code.MATLAB_LABELS: (
        "The labels below {folder} are .mat files, which are not read. Of PASCAL-Context, unpack "
        "59_context_labels.tar.gz (the 59 classes as PNGs) beside JPEGImages."
    ),
    Code.NO_RECIPE: "There is no recipe “{name}” for {task}. There is {known}.",
    Code.NOTHING_TO_IMPORT: "Name what to import: --color FILE, --segmentation FILE.",
    Code.NO_PAGE: "{file} has no page {page}: it has {pages}.",
    Code.NOT_A_PHOTO: (
        "{file} cannot be read as a photo ({reason}). Save it as PNG, TIFF or JPEG."
    ),
    Code.SAMPLE_FORMAT: "{file} has {format} samples. Save it with 8 or 16 bits per channel.",
    Code.NOT_A_PICTURE: "{file} cannot be read as a picture. Get it anew.",
    Code.NOT_A_LABEL_PICTURE: (
        "{file} has pixels of kind “{mode}”. A label map is an indexed, 8-bit gray or RGB picture."
    ),
    Code.NO_FORMAT: "{file} names no format. End it in .png, .tif, .jpg, .webp or .ora.",
    Code.NOT_PNG: "A label map is written as PNG. End the file's name in .png.",
    Code.TOO_DEEP: "The photo has 16 bits and {suffix} holds 8. Write to .png or .tif.",
    Code.TOO_WIDE: (
        "The photo's longer side has {side} pixels, and {suffix} holds {limit}. Write to .png or "
        ".tif."
    ),
    Code.NO_FOLDER: "There is no folder {folder}. Make it, or choose another.",
    Code.CANNOT_READ: "{file} cannot be read ({reason}).",
    Code.OUTPUT_IS_INPUT: (
        "{file} is what is read: it would be lost. Choose another name for what is written."
    ),
    Code.OUTPUT_EXISTS: "{file} is there already. Choose another name, or replace it with --force.",
    Code.NO_PHOTOS_HERE: "There are no such photos (PNG, TIFF, JPEG) in {folder}.",
    Code.NAME_TEMPLATE: (
        "“{template}” is no name for files. Write it with the photo's own, for instance "
        "“{{stem}}-color.tif”."
    ),
    Code.SAME_OUTPUT: (
        "{first} and {second} would both become {file}. Name them apart, for instance with "
        "“--name {{stem}}-{{suffix}}.png”, or do them one after the other."
    ),
    Code.SOME_FAILED: "{failed} of {photos} photos failed; the sentences above say why.",
    Code.BATCH_RUNS: "Another batch writes to {folder}. Wait for its end, or choose another.",
    Code.CLUSTER_NOT_INSTALLED: (
        "Ray is not installed here: pip install “semcolor[worker,cluster]”, on all machines."
    ),
    Code.NODES_LOST: (
        "It was lost {times} times with the process that did it: its machine may lack memory."
    ),
    Code.NOT_A_MANIFEST: (
        "Line {line} of {file} is none that semcolor has written. Mend it, or move the file away: "
        "then all photos are new."
    ),
    Code.NO_MANIFEST: "There is no {file}: {folder} is not what “semcolor batch” has written.",
    Code.CANNOT_WRITE: "{file} cannot be written ({reason}).",
    Code.WORKER_KEY: (
        "The worker's key in {file} is damaged. Bring the file back from a copy; without one, "
        "delete it, start the worker, and invite everybody again."
    ),
    Code.LATER_SETTINGS: (
        "The settings in {file} are of a later version of semcolor. Update this one."
    ),
    Code.BAD_WEIGHTS: (
        "{file} cannot be used as weights: {reason}. `semcolor weights use`, where the worker "
        "runs, chooses others."
    ),
    Code.BAD_RECORDING: "{file} is no recording of another program's outputs: {reason}.",
    Code.OUTPUTS_DIFFER: "These outputs are not as recorded: {names}.",
    Code.UNKNOWN: "The worker says “{code}”, which this version does not know. Update semcolor.",
}

STATES: dict[WorkerState, str] = {
    WorkerState.STOPPED: "The worker starts as soon as it is needed.",
    WorkerState.STARTING: "The worker is starting.",
    WorkerState.LOADING: "The worker is loading its models.",
    WorkerState.READY: "The worker is ready.",
    WorkerState.BUSY: "The worker is working.",
    WorkerState.LOST: "The worker's engine ended by itself. The next job starts it again.",
}

STAGES: dict[Stage, str] = {
    Stage.LOOKING_FOR_WORKER: "Looking for the worker",
    Stage.WORKER_STARTING: "The worker is starting",
    Stage.WAITING: "Waiting for the worker",
    Stage.SENDING_PHOTO: "Sending the photo",
    Stage.SENDING_LABELS: "Sending the labels",
    Stage.SENDING_SELECTION: "Sending the selection",
    Stage.SEGMENTING: "Segmenting",
    Stage.COLORIZING: "Colorizing",
    Stage.FINDING_EDGES: "Finding the edges",
    Stage.LOOKING_FOR_COLORS: "Looking for colours",
}


def error_sentence(
    code: Code, parameters: Mapping[str, Parameter], tr: Callable[[str], str] = str
) -> str:
    """The sentence of a failure; a parameter that is missing shows as its name in braces.

    ``tr`` translates the sentence before its parameters are put in.
    """
    return string.Formatter().vformat(tr(ERRORS[code]), (), _Kept(parameters))


class _Kept(dict[str, Parameter]):
    """Parameters; what a newer worker's sentence has and ours lacks stays in braces."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"
