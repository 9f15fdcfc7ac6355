"""Every procedure that GIMP gets from us: what it is called, takes, gives back and does."""

from actions import coloring, edits, object_colors
from actions.worker import worker_status
from gi.repository import Gimp
from language import tr
from shared.classes import PALETTE_NAME
from shared.limits import DETAIL_LIMIT

from . import run
from .procedure import MENU, Procedure, Value

_EDIT_MENU = f"{MENU}/" + tr("Edit Labels")
_HELP_MENU = "<Image>/Help"
_LARGEST = 2**31 - 1  # pixels


def _kinds() -> Gimp.Choice:
    choice = Gimp.Choice.new()
    choice.add(run.LCH, 0, tr("LCh colour over the photo (recommended)"), "")
    choice.add(run.PLAIN, 1, tr("A plain RGB layer"), "")
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
    (0, DETAIL_LIMIT, 0),
)
_CLASS = Value(
    "string",
    "class",
    tr("_Class"),
    tr(
        "A class's name, as the palette “{palette}” has it; “unlabelled” clears. Empty, and always "
        "when the user is asked: the class of the foreground colour"
    ).format(palette=PALETTE_NAME),
    ("",),
)
_LOCKED = Value(
    "string_array",
    "locked",
    tr("L_ocked"),
    tr("The names of classes whose pixels stay theirs"),
)
_LAYER_KIND = Value(
    "choice",
    "layer-kind",
    tr("Layer _kind"),
    tr(
        "Only hue and chroma, so that the photo's own lightness and all later retouching show "
        "through; or all of the colour, which covers the photo"
    ),
    (_kinds(), run.LCH),
)
_PLACE = tuple(
    Value(
        "int",
        axis,
        f"_{axis.upper()}",
        tr(
            "A pixel of the region, counted from the photo's upper left corner; -1: the selection "
            "tells"
        ),
        (-1, _LARGEST, -1),
    )
    for axis in "xy"
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
_COLORIZE = Value(
    "boolean",
    "colorize",
    tr("_Colorize"),
    tr("Whether to colour the photo anew at once; live colouring follows by itself"),
    (True,),
)
_COLORED = (Value(*_LAYER, tr("The new or updated colorized layer"), _MAYBE_NO_LAYER),)

_ALL = (
    Procedure(
        "panel",
        tr("Semantic Color _Panel…"),
        tr("Pick classes to paint, and let colour follow each stroke"),
        tr(
            "Opens a window that stays beside the image while you paint on its label layer. It "
            "ends with the window or the image."
        ),
        run.open_panel,
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
        ).format(palette=PALETTE_NAME),
        lambda call: call.ask(coloring.add_label_layer(call.photo, call.value("detail"))),
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
            coloring.colorize(call.photo, call.value("detail"), show_labels=False)
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
        run.colorize_with_settings,
        (_DETAIL, _LAYER_KIND),
        (Value(*_LAYER, tr("The new or updated colorized layer"), _MAYBE_NO_LAYER), _AMBIGUOUS),
        before_painting=True,
    ),
    Procedure(
        "label-selection",
        tr("_Label Selection"),
        tr("Make the selection the class of the foreground colour"),
        tr("Fills the selection in the label layer, with hard edges."),
        lambda call: edits.fill_selection(call.photo, call.entry(), call.locked()),
        (_CLASS, _LOCKED),
        (Value(*_PIXELS, tr("How many pixels were filled"), _COUNT),),
        _EDIT_MENU,
    ),
    Procedure(
        "fill-region",
        tr("_Fill Region"),
        tr("Make the region that is mostly selected the class of the foreground colour"),
        tr(
            "Fills a connected region of one class in the label layer: of the class that most of "
            "the selection has, the region nearest to its middle. A rough selection will do."
        ),
        run.fill_region,
        (_CLASS, *_PLACE, _LOCKED),
        (Value(*_PIXELS, tr("How many pixels the region has"), _COUNT),),
        _EDIT_MENU,
    ),
    Procedure(
        "snap-to-edges",
        tr("_Snap to Edges"),
        tr("Fit what is of the foreground colour's class to the photo's edges"),
        tr(
            "Lets what has the class grow or shrink to the photo's edges, inside the selection, or "
            "in the whole photo when nothing is selected."
        ),
        run.snap,
        (_CLASS, _LOCKED),
        (Value(*_PIXELS, tr("How many pixels have another class now"), _COUNT),),
        _EDIT_MENU,
    ),
    Procedure(
        "clean-labels",
        tr("_Clean Labels"),
        tr("Replace colours in the label layer that are no class's"),
        tr(
            "Soft brushes and scaling make in-between colours. Each such pixel becomes one of the "
            "classes beside it."
        ),
        lambda call: call.ask(edits.clean(call.photo)),
        (),
        (Value(*_PIXELS, tr("How many pixels had no palette colour"), _COUNT),),
        _EDIT_MENU,
    ),
    Procedure(
        "suggest-colors",
        tr("Suggest Colours"),
        tr("Find other colours that the selected object may have"),
        tr(
            "Needs a colour model that finds several colours likely. choose-color takes one of "
            "them."
        ),
        lambda call: call.ask(object_colors.suggest(call.photo, call.value("detail"))),
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
        tr("_Give Object the Foreground Colour"),
        tr("Give the object that is mostly selected the hue of the foreground colour"),
        tr(
            "The object, a connected region of one class in the label layer, keeps the hue and "
            "chroma of a colour, whatever is edited, until Automatic Colour takes it back."
        ),
        run.choose_color,
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
            *_PLACE,
            _DETAIL,
            _COLORIZE,
        ),
        _COLORED,
        _EDIT_MENU,
    ),
    Procedure(
        "automatic-color",
        tr("_Automatic Colour"),
        tr("Take the colour back that the object was given"),
        tr("The object that is mostly selected gets the colour that its label asks for."),
        run.automatic_color,
        (*_PLACE, _DETAIL, _COLORIZE),
        _COLORED,
        _EDIT_MENU,
    ),
    Procedure(
        "import-color-notes",
        tr("Import Colour _Notes…"),
        tr("Read the colours of objects from a file"),
        tr(
            "Takes a text file with lines such as “clothes: #5b5a3c”, as Export Colour Notes "
            "writes. They replace the notes that the photo has."
        ),
        run.import_color_notes,
        (Value(*_FILE, tr("The colour notes"), _ANY_FILE), _DETAIL, _COLORIZE),
        _COLORED,
    ),
    Procedure(
        "export-color-notes",
        tr("Export Colour Notes…"),
        tr("Write the colours that objects were given to a file"),
        tr(
            "Writes a text file for the next photo, or for “semcolor colorize --notes”. A file "
            "that is there is replaced."
        ),
        run.export_color_notes,
        (Value(*_FILE, tr("The colour notes"), _ANY_FILE),),
    ),
    Procedure(
        "import-labels",
        tr("_Import Labels…"),
        tr("Read the label layer from a file"),
        tr(
            "Takes an indexed PNG of the photo's size, as “semcolor segment” writes, or a picture "
            "in the palette's colours. The label layer gets its labels, or is made."
        ),
        run.import_labels,
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
        run.export_labels,
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
        run.connect,
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
        "check",
        tr("Semantic Color: C_heck…"),
        tr("Find out what is wrong with semcolor, and what to do"),
        tr(
            "Looks at the plug-in, the worker and its devices, and has a small picture coloured. "
            "The report names no person, folder or key, so it can be sent to somebody."
        ),
        run.check,
        (),
        (
            Value("string", "report", tr("Report"), tr("All findings, in English"), ("",)),
            Value(
                "int",
                "problems",
                tr("Problems"),
                tr("How many findings need something to be done"),
                _COUNT,
            ),
        ),
        _HELP_MENU,
        for_image=False,
    ),
    Procedure(
        "worker-status",
        tr("Worker Status"),
        tr("Tell how the worker is"),
        tr("Never starts it, and waits for a second at most."),
        lambda call: worker_status(call.report),
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
