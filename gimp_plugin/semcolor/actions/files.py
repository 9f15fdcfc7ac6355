"""Files that the user names, as a whole: through Gio, which knows places that a path does not."""

import contextlib

from gi.repository import Gio, GLib
from language import UserError, tr
from shared.bridge_schema import PAYLOAD_LIMIT
from shared.errors import Code, SemcolorError


class FileError(UserError):
    """This is no file for us."""


def read(file: Gio.File) -> bytes:
    """What is in the file.

    Raises:
        SemcolorError: there is no such file, or it can't be read.
        FileError: it is no file, or larger than the bridge takes at a time.
    """
    name = f"“{file.get_parse_name()}”"
    try:
        info = file.query_info("standard::type,standard::size", Gio.FileQueryInfoFlags.NONE, None)
        if info.get_file_type() != Gio.FileType.REGULAR:
            raise FileError(tr("{file} is not a file.").format(file=name))
        if info.get_size() > PAYLOAD_LIMIT:
            message = tr("{file} is too large ({limit} MiB at most).")
            raise FileError(message.format(file=name, limit=PAYLOAD_LIMIT >> 20))
        _, content, _ = file.load_contents(None)
    except GLib.Error as error:
        if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND):
            raise SemcolorError(Code.NO_FILE, file=name) from error
        raise SemcolorError(Code.CANNOT_READ, file=name, reason=error.message) from error
    return bytes(content)


def write(file: Gio.File, content: bytes) -> None:
    """Write the file; one that is there is replaced as a whole, or stays as it is.

    Raises:
        SemcolorError: it can't be written.
    """
    try:
        # With this flag Gio writes beside the file, and renames when the stream is closed …
        flag = Gio.FileCreateFlags.REPLACE_DESTINATION
        stream = file.replace(None, False, flag, None)
        try:
            stream.write_all(content, None)
        except GLib.Error:
            _discard(stream)
            raise
        stream.close(None)
    except GLib.Error as error:
        name = f"“{file.get_parse_name()}”"
        raise SemcolorError(Code.CANNOT_WRITE, file=name, reason=error.message) from error


def _discard(stream: Gio.FileOutputStream) -> None:
    """… unless it is closed by somebody who has given up."""
    given_up = Gio.Cancellable()
    given_up.cancel()
    with contextlib.suppress(GLib.Error):
        stream.close(given_up)
