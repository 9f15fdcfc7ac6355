"""Every failure that a user can meet: a code for programs, a sentence that says what to do."""

from enum import StrEnum


class Code(StrEnum):
    """Stable names of failures, on the wire, in the bridge and (see ``cli``) as exit codes."""

    MALFORMED = "malformed"
    VERSION = "version"
    FORBIDDEN = "forbidden"
    UNKNOWN_PHOTO = "unknown_photo"
    UNKNOWN_LABELS = "unknown_labels"
    TOO_LARGE = "too_large"
    SIZE_MISMATCH = "size_mismatch"
    ENGINE_FAILED = "engine_failed"
    NO_MEMORY = "no_memory"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    UNREACHABLE = "worker_unreachable"
    KEY_REFUSED = "key_refused"
    NO_FILE = "no_such_file"
    NOT_AN_IMAGE = "not_an_image"
    UNKNOWN_CLASS = "unknown_class"
    CANNOT_WRITE = "cannot_write"
    INVITATION = "bad_invitation"
    BAD_WEIGHTS = "bad_weights"
    NO_DEVICE = "no_device"
    NO_SUGGESTIONS = "no_suggestions"
    NOT_INSTALLED = "not_installed"


class SemcolorError(Exception):
    """A failure with its code; ``str(error)`` is the sentence to show."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
