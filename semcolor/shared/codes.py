"""Which failures there are: their names, from the engine to the panel."""

from enum import StrEnum

Parameter = str | int | float


class Code(StrEnum):
    """Stable names of failures: on the wire, in the bridge, and (see ``semcolor.cli``) at exit."""

    # Parts of semcolor that don't understand each other
    MALFORMED = "malformed"
    MESSAGE_TOO_LARGE = "message_too_large"
    PROTOCOL_VERSION = "protocol_version"
    PLUGIN_VERSION = "plugin_version"
    FORBIDDEN = "forbidden"
    UNKNOWN_PHOTO = "unknown_photo"
    UNKNOWN_LABELS = "unknown_labels"
    # Pictures
    PHOTO_TOO_LARGE = "photo_too_large"
    FILE_TOO_LARGE = "file_too_large"
    SIZE_MISMATCH = "size_mismatch"
    LABELS_MISMATCH = "labels_mismatch"
    EMPTY_SELECTION = "empty_selection"
    TOO_MANY_TINTS = "too_many_tints"
    BAD_NOTES = "bad_notes"
    LABEL_FILE_TOO_LARGE = "label_file_too_large"
    # Labels
    FOREIGN_COLORS = "foreign_colors"
    NO_LABEL_MAP = "no_label_map"
    UNKNOWN_CLASS = "unknown_class"
    # The engine
    ENGINE_FAILED = "engine_failed"
    ENGINE_DIED = "engine_died"
    QUARANTINED = "quarantined"
    NO_MEMORY = "no_memory"
    WORKER_TOO_SMALL = "worker_too_small"
    ENGINE_TOO_SMALL = "engine_too_small"
    NO_SUGGESTIONS = "no_suggestions"
    NO_DEVICE = "no_device"
    DEVICE_UNUSABLE = "device_unusable"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    # Reaching a worker
    NO_SUCH_HOST = "no_such_host"
    UNREACHABLE = "worker_unreachable"
    NOT_STARTED = "worker_not_started"
    NOT_ANSWERING = "worker_not_answering"
    NOT_RUNNING = "worker_not_running"
    NOT_SERVING_LAN = "not_serving_lan"
    KEY_REFUSED = "key_refused"
    WORKER_KEY = "bad_worker_key"
    INVITATION = "bad_invitation"
    INVITATION_USED = "invitation_used"
    NOT_PAIRED = "not_paired"
    CLIENT_NAME = "bad_client_name"
    TOO_MANY_JOBS = "too_many_jobs"
    TOO_MANY_SESSIONS = "too_many_sessions"
    TOO_MANY_REQUESTS = "too_many_requests"
    CLIENT_EXISTS = "client_exists"
    NO_CLIENT = "no_client"
    LISTEN_ADDRESS = "bad_listen_address"
    LISTEN_HOST = "bad_listen_host"
    LISTEN_LOOPBACK = "listen_loopback"
    CANNOT_LISTEN = "cannot_listen"
    NO_SYSTEMD = "no_systemd"
    SERVICE_FAILED = "service_failed"
    NOT_INSTALLED = "not_installed"
    LAN_NOT_INSTALLED = "lan_not_installed"
    TRAINING_NOT_INSTALLED = "training_not_installed"
    ALREADY_RUNNING = "already_running"
    DEVICE_NAME = "bad_device_name"
    DETAIL = "bad_detail"
    # Files
    NO_FILE = "no_such_file"
    NO_DATA_FOLDER = "no_data_folder"
    NO_PHOTOS = "no_photos"
    MATLAB_LABELS = "matlab_labels"
    NO_RECIPE = "no_recipe"
    NOTHING_TO_IMPORT = "nothing_to_import"
    NO_PAGE = "no_page"
    NOT_A_PHOTO = "not_a_photo"
    SAMPLE_FORMAT = "sample_format"
    NOT_A_PICTURE = "not_a_picture"
    NOT_A_LABEL_PICTURE = "not_a_label_picture"
    NO_FORMAT = "no_format"
    NOT_PNG = "not_png"
    TOO_DEEP = "too_deep"
    TOO_WIDE = "too_wide"
    NO_FOLDER = "no_folder"
    CANNOT_READ = "cannot_read"
    CANNOT_WRITE = "cannot_write"
    OUTPUT_IS_INPUT = "output_is_input"
    OUTPUT_EXISTS = "output_exists"
    NO_PHOTOS_HERE = "no_photos_here"
    NAME_TEMPLATE = "name_template"
    SAME_OUTPUT = "same_output"
    SOME_FAILED = "some_failed"
    BATCH_RUNS = "batch_runs"
    CLUSTER_NOT_INSTALLED = "cluster_not_installed"
    NODES_LOST = "nodes_lost"
    NOT_A_MANIFEST = "not_a_manifest"
    NO_MANIFEST = "no_manifest"
    LATER_SETTINGS = "later_settings"
    # Weights
    BAD_WEIGHTS = "bad_weights"
    BAD_RECORDING = "bad_recording"
    OUTPUTS_DIFFER = "outputs_differ"
    # Of a later version, which this one does not know
    UNKNOWN = "unknown"


NEEDS_A_CHANGE: frozenset[Code] = frozenset(
    {
        Code.MESSAGE_TOO_LARGE,
        Code.PLUGIN_VERSION,
        Code.PHOTO_TOO_LARGE,
        Code.FILE_TOO_LARGE,
        Code.SIZE_MISMATCH,
        Code.EMPTY_SELECTION,
        Code.LABEL_FILE_TOO_LARGE,
        Code.FOREIGN_COLORS,
        Code.NO_LABEL_MAP,
        Code.UNKNOWN_CLASS,
        Code.WORKER_TOO_SMALL,
        Code.ENGINE_TOO_SMALL,
        Code.NO_SUGGESTIONS,
        Code.DETAIL,
        Code.NOT_A_PICTURE,
        Code.NOT_A_LABEL_PICTURE,
    }
)
"""Failures that come again until the user changes something; others may pass by themselves."""
