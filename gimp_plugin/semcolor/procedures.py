"""Every procedure that GIMP gets from us: what it is called, takes, gives back and does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import actions
import classes
import layers
from bridge_client import Progress
from classes import LabelClass
from files import FileError
from gi.repository import Gimp, Gio
from layers import LayerError
from translation import tr

PALETTE = "Semantic Color: PASCAL-Context 59"
MENU = "<Image>/Filters/Semantic Color"
EDIT_MENU = f"{MENU}/Edit Labels"
_LARGEST = 2**31 - 1  # pixels
_DETAIL_STEP = 32  # pixels
_PLAIN, _LCH = "rgb", "lch-color"


class Value(NamedTuple):
    """An argument or a return value."""

    kind: str
    """As in GIMP's `add_{kind}_argument` and `add_{kind}_return_value`."""
    name: str
    label: str
    text: str
    options: tuple[Any, ...] = ()
    """What those methods take besides: limits, default, …"""


@dataclass(frozen=True)
class Call:
    """A procedure that was called. `image` and `photo` are None where it has no image."""

    image: Gimp.Image | None
    photo: Gimp.Layer | None
    config: Gimp.ProcedureConfig
    interactive: bool
    """Whether a user is there, who may be asked and who sees the foreground colour."""
    report: Progress

    @property
    def place(self) -> tuple[Gimp.Image, Gimp.Layer]:
        """Image and photo."""
        return self.image, self.photo

    def value(self, name: str) -> Any:
        """An argument."""
        return self.config.get_property(name)

    def text(self, name: str) -> str:
        """A string argument; GIMP has None for some that are empty."""
        return (self.value(name) or "").strip()

    def ask(self, action: actions.Action[Any]) -> actions.Outcome:
        """Do what needs the bridge."""
        Gimp.progress_init("")
        return action.run(self.image, self.photo, self.report)

    def entry(self) -> LabelClass:
        """The class that is named, or else that of the foreground colour."""
        entries, name = actions.read_classes(), self.text("class")
        if name and not self.interactive:
            found = classes.by_name(entries, name)
            if not found:
                message = tr("There is no class “{name}”. The palette “{palette}” has all names.")
                raise LayerError(message.format(name=name, palette=PALETTE))
            return found
        color = _foreground()
        found = actions.class_of_color(self.image, entries, color)
        if not found:
            message = tr(
                "The foreground colour, {color}, is no class's. Pick one from the palette "
                "“{palette}”, or in the panel."
            )
            raise LayerError(message.format(color=color, palette=PALETTE))
        return found


@dataclass(frozen=True)
class Procedure:
    """One procedure. `run` returns None when the user has cancelled it."""

    name: str
    label: str
    blurb: str
    text: str
    run: Callable[[Call], actions.Outcome | None]
    arguments: tuple[Value, ...] = ()
    returns: tuple[Value, ...] = ()
    menu: str | None = MENU
    """Where its menu entry is; without one, it can still get a keyboard shortcut."""
    for_image: bool = True
    before_painting: bool = False
    """Whether the user is about to paint labels, for which the palette is selected."""


# --- What some of them do ----------------------------------------------------------------------


def _open_panel(call: Call) -> None:
    if not call.interactive:
        raise LayerError(tr("The panel needs a window: scripts use the other procedures."))
    from session import run

    run(*call.place)
    # After a success GIMP would write down the arguments in the image, which may be closed by now.


def _colorize_with_settings(call: Call) -> actions.Outcome | None:
    if call.interactive:
        from dialogs import ask_for_settings

        if not ask_for_settings(call.config):
            return None
    detail = round(call.value("detail") / _DETAIL_STEP) * _DETAIL_STEP
    plain = call.value("layer-kind") == _PLAIN
    return call.ask(actions.colorize(*call.place, detail, show_labels=False, plain=plain))


def _fill_region(call: Call) -> actions.Outcome:
    x, y = call.value("x"), call.value("y")
    if call.interactive or min(x, y) < 0:
        x, y = actions.selected_region(*call.place)
    return actions.fill_region(*call.place, call.entry(), x, y)


def _snap(call: Call) -> actions.Outcome:
    selected, whole = layers.selection_in(call.photo, call.image), layers.whole(call.photo)
    area = selected.clip(whole) if selected else whole
    if not area:
        raise LayerError(tr("Select an area of the photo, or nothing at all."))
    return call.ask(actions.snap(*call.place, call.entry(), area))


def _choose_color(call: Call) -> actions.Outcome:
    color = call.text("color").lower()
    if call.interactive or not color:
        color = _foreground()
    if not re.fullmatch("#[0-9a-f]{6}", color):
        message = tr("“{color}” is no colour: write it as #rrggbb, for instance #80a0c0.")
        raise LayerError(message.format(color=color))
    return actions.choose_color(*call.place, color)


def _export_labels(call: Call) -> actions.Outcome | None:
    if not call.interactive:
        return call.ask(actions.export_labels(*call.place, _given_file(call)))
    from dialogs import ask_where_to_export

    actions.find_label_layer(*call.place)
    file = ask_where_to_export(call.image)
    return call.ask(actions.export_labels(*call.place, file)) if file else None


def _import_labels(call: Call) -> actions.Outcome | None:
    if not call.interactive:
        return call.ask(actions.import_labels(*call.place, _given_file(call)))
    from dialogs import ask_what_to_import

    file = ask_what_to_import(call.image)
    return call.ask(actions.import_labels(*call.place, file)) if file else None


def _connect(call: Call) -> actions.Outcome | None:
    if not call.interactive:
        return actions.connect(call.text("invitation"), call.report)
    from dialogs import ask_for_invitation

    line = ask_for_invitation()
    return None if line is None else actions.connect(line, call.report)


def _given_file(call: Call) -> Gio.File:
    file = call.value("file")
    if not file:
        raise FileError(tr("Say which file, with the argument “file”."))
    return file


def _foreground() -> str:
    return layers.hex_of(Gimp.context_get_foreground())


def _kinds() -> Gimp.Choice:
    choice = Gimp.Choice.new()
    choice.add(_LCH, 0, tr("LCh colour over the photo (recommended)"), "")
    choice.add(_PLAIN, 1, tr("A plain RGB layer"), "")
    return choice


# --- The table ---------------------------------------------------------------------------------

_DETAIL = Value(
    "int",
    "detail",
    tr("_Detail (0: default)"),
    tr(
        "Longest side, in pixels, at which the network looks at the photo; a multiple of 32. "
        "0 is the model's default"
    ),
    (0, 4096, 0),
)
_CLASS = Value(
    "string",
    "class",
    tr("_Class"),
    tr(
        "A class's name, as the palette “{palette}” has it; “unlabelled” clears. Empty, and always "
        "when the user is asked: the class of the foreground colour"
    ).format(palette=PALETTE),
    ("",),
)
_LAYER_KIND = Value(
    "choice",
    "layer-kind",
    tr("Layer _kind"),
    tr(
        "Only hue and chroma, so that the photo's own lightness and all later retouching show "
        "through; or all of the colour, which covers the photo"
    ),
    (_kinds(), _LCH),
)
_FILE = "file", "file", tr("_File")
_ANY_FILE = (Gimp.FileChooserAction.ANY, True, None)  # we say ourselves what is wrong with it
_LAYER = "layer", "layer", tr("Layer")
_MAYBE_NO_LAYER = (False,)
_PIXELS = "int", "pixels", tr("Pixels")
_COUNT = (0, _LARGEST, 0)
_AMBIGUOUS = Value(
    "int",
    "ambiguous-pixels",
    tr("Ambiguous pixels"),
    tr("How many pixels had no palette colour, so that a class beside them was taken"),
    _COUNT,
)

_ALL = (
    Procedure(
        "panel",
        tr("Semantic Color _Panel…"),
        tr("Pick classes to paint, and let colour follow each stroke"),
        tr(
            "Opens a window that stays beside the image while you paint on its label layer. It "
            "ends with the window or the image."
        ),
        _open_panel,
        before_painting=True,
    ),
    Procedure(
        "add-label-layer",
        tr("_Add Label Layer"),
        tr("Find out what is where in a photo, as a layer to paint on"),
        tr(
            "Labels every part of the selected photo with one of 59 classes (sky, water, person, "
            "…) and adds the labels as a half-transparent layer above it, in the colours of the "
            "palette “{palette}”. Correct them with the Pencil, then run Colorize."
        ).format(palette=PALETTE),
        lambda call: call.ask(actions.add_label_layer(*call.place, call.value("detail"))),
        (_DETAIL,),
        (Value(*_LAYER, tr("The new label layer"), _MAYBE_NO_LAYER),),
        before_painting=True,
    ),
    Procedure(
        "colorize",
        tr("_Colorize"),
        tr("Colour a black-and-white photo from its label layer"),
        tr(
            "Gives the selected photo the colours that its label layer asks for, in a layer of "
            "their own: the photo itself is never changed. Run it again after changing labels. A "
            "photo without a label layer gets one first, hidden."
        ),
        lambda call: call.ask(
            actions.colorize(*call.place, call.value("detail"), show_labels=False)
        ),
        (_DETAIL,),
        (Value(*_LAYER, tr("The new or updated colorized layer"), _MAYBE_NO_LAYER), _AMBIGUOUS),
        before_painting=True,
    ),
    Procedure(
        "colorize-with-settings",
        tr("Colorize with Se_ttings…"),
        tr("Colour a black-and-white photo, and choose how"),
        tr(
            "Does the same as Colorize, with a detail (rounded to a multiple of 32) and a kind of "
            "layer that you choose. A colorized layer that is there becomes that kind."
        ),
        _colorize_with_settings,
        (_DETAIL, _LAYER_KIND),
        (Value(*_LAYER, tr("The new or updated colorized layer"), _MAYBE_NO_LAYER), _AMBIGUOUS),
        before_painting=True,
    ),
    Procedure(
        "label-selection",
        tr("_Label Selection"),
        tr("Make the selection the class of the foreground colour"),
        tr("Fills the selection in the label layer, with hard edges."),
        lambda call: actions.label_selection(*call.place, call.entry()),
        (_CLASS,),
        (Value(*_PIXELS, tr("How many pixels were filled"), _COUNT),),
        EDIT_MENU,
    ),
    Procedure(
        "fill-region",
        tr("_Fill Region"),
        tr("Make the region that is mostly selected the class of the foreground colour"),
        tr(
            "Fills a connected region of one class in the label layer: of the class that most of "
            "the selection has, the region nearest to its middle. A rough selection will do."
        ),
        _fill_region,
        (
            _CLASS,
            *(
                Value(
                    "int",
                    axis,
                    f"_{axis.upper()}",
                    tr(
                        "A pixel of the region, counted from the photo's upper left corner; -1: "
                        "the selection tells"
                    ),
                    (-1, _LARGEST, -1),
                )
                for axis in "xy"
            ),
        ),
        (Value(*_PIXELS, tr("How many pixels the region has"), _COUNT),),
        EDIT_MENU,
    ),
    Procedure(
        "snap-to-edges",
        tr("_Snap to Edges"),
        tr("Fit what is of the foreground colour's class to the photo's edges"),
        tr(
            "Lets what has the class grow or shrink to the photo's edges, in the selection's "
            "bounds, or in the whole photo when nothing is selected."
        ),
        _snap,
        (_CLASS,),
        (Value(*_PIXELS, tr("How many pixels have another class now"), _COUNT),),
        EDIT_MENU,
    ),
    Procedure(
        "clean-labels",
        tr("_Clean Labels"),
        tr("Replace colours in the label layer that are no class's"),
        tr(
            "Soft brushes and scaling make in-between colours. Each such pixel becomes one of the "
            "classes beside it."
        ),
        lambda call: call.ask(actions.clean(*call.place)),
        (),
        (Value(*_PIXELS, tr("How many pixels had no palette colour"), _COUNT),),
        EDIT_MENU,
    ),
    Procedure(
        "suggest-colors",
        tr("Suggest Colours"),
        tr("Find other colours that the selected object may have"),
        tr(
            "Needs a colour model that finds several colours likely. choose-color takes one of "
            "them."
        ),
        lambda call: call.ask(actions.suggest(*call.place, call.value("detail"))),
        (_DETAIL,),
        (
            Value(
                "string_array",
                "colors",
                tr("Colours"),
                tr("Up to six, as #rrggbb, most likely first"),
            ),
            Value("double_array", "shares", tr("Shares"), tr("How likely each of them is, 0 to 1")),
        ),
        None,
    ),
    Procedure(
        "choose-color",
        tr("_Give Selection the Foreground Colour"),
        tr("Give the selection the hue of the foreground colour"),
        tr(
            "Gives the selection the hue and chroma of a colour, in a layer of chosen colours "
            "between colorized layer and labels, which colouring leaves alone."
        ),
        _choose_color,
        (
            Value(
                "string",
                "color",
                tr("C_olour"),
                tr(
                    "A colour as #rrggbb. Empty, and always when the user is asked: the foreground "
                    "colour"
                ),
                ("",),
            ),
        ),
        (Value(*_LAYER, tr("The layer of chosen colours"), _MAYBE_NO_LAYER),),
        EDIT_MENU,
    ),
    Procedure(
        "import-labels",
        tr("_Import Labels…"),
        tr("Read the label layer from a file"),
        tr(
            "Takes an indexed PNG of the photo's size, as “semcolor segment” writes, or a picture "
            "in the palette's colours. The label layer gets its labels, or is made."
        ),
        _import_labels,
        (Value(*_FILE, tr("The label map"), _ANY_FILE),),
        (Value(*_LAYER, tr("The label layer"), _MAYBE_NO_LAYER), _AMBIGUOUS),
        before_painting=True,
    ),
    Procedure(
        "export-labels",
        tr("_Export Labels…"),
        tr("Write the label layer to a file"),
        tr(
            "Writes an indexed PNG whose values are class ids, as “semcolor segment” does and "
            "“semcolor colorize --labels” takes. A file that is there is replaced."
        ),
        _export_labels,
        (Value(*_FILE, tr("The label map; ends in .png"), _ANY_FILE),),
        (_AMBIGUOUS,),
    ),
    Procedure(
        "connect",
        tr("Connect to a _Worker…"),
        tr("Let a worker on another machine do the work"),
        tr(
            "Takes the line that “semcolor worker invite NAME” printed on that machine; “local” "
            "goes back to this machine's own worker."
        ),
        _connect,
        (
            Value(
                "string",
                "invitation",
                tr("_Invitation"),
                tr("The line, for scripts; a window asks the user"),
                ("",),
            ),
        ),
        (Value("string", "message", tr("Message"), tr("Which worker is used from now on"), ("",)),),
        for_image=False,
    ),
    Procedure(
        "worker-status",
        tr("Worker Status"),
        tr("Tell how the worker is"),
        tr("Never starts it, and waits for a second at most."),
        lambda call: actions.worker_status(call.report),
        (),
        (
            Value(
                "string",
                "state",
                tr("State"),
                tr("stopped, starting, loading, ready, busy or lost"),
                ("",),
            ),
            Value(
                "string",
                "sentence",
                tr("Sentence"),
                tr("The same as a sentence, with advice"),
                ("",),
            ),
        ),
        None,
        for_image=False,
    ),
)

PROCEDURES = {f"plug-in-semcolor-{procedure.name}": procedure for procedure in _ALL}
