"""Decoding of files: from bytes, by the mark they begin with, to text. Bytes that cannot be text are refused."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from democracy.files.malformed import Malformed

# The longer marks first: UTF-32 begins like UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_NO_TEXT = (
    (b"PK\x03\x04", "This is a workbook or an archive, not text: save the sheet as CSV UTF-8."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook, not text: save the sheet as CSV UTF-8."),
    (b"\x1f\x8b", "This file is compressed: unpack it first."),
    (b"BZh", "This file is compressed: unpack it first."),
    (b"%PDF", "This is a PDF, not a table."),
)
_SAVE_AS = "save the file as UTF-8 (“CSV UTF-8” in a spreadsheet)."


@dataclass(frozen=True)
class FileText:
    """Text, and the name of its encoding as people know it."""

    text: str
    encoding: str


def decode_unicode(data: bytes) -> FileText:
    """Decode UTF-8, or whatever the mark at the beginning says. Raises Malformed naming the line."""
    for beginning, message in _NO_TEXT:
        if data.startswith(beginning):
            raise Malformed("", message)
    mark, codec, encoding = next((known for known in _MARKS if data.startswith(known[0])), (b"", "utf-8", "UTF-8"))
    try:
        text = data[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        line = _lines(error.object[: error.start].decode(codec, "replace"))
        raise Malformed(f"line {line}", f"this is not {encoding} text: {_SAVE_AS}") from error
    if "\0" in text:
        line = _lines(text[: text.index("\0")])
        raise Malformed(f"line {line}", f"there is a NUL, as in UTF-16 without a mark: {_SAVE_AS}")
    return FileText(text.lstrip("\ufeff"), encoding)


def decode_spreadsheet(data: bytes) -> FileText:
    """Decode Unicode, or Windows-1252 where nothing else fits: older spreadsheets save it so.

    Raises Malformed, also where more of the text is UTF-8 than is not: then it is damaged, and would be misread.
    """
    try:
        return decode_unicode(data)
    except Malformed:
        is_marked = any(data.startswith(mark) for mark, _, _ in _MARKS)
        is_text = not (is_marked or b"\0" in data or any(data.startswith(beginning) for beginning, _ in _NO_TEXT))
        if not is_text or _is_damaged_utf_8(data):
            raise
        try:
            return FileText(data.decode("cp1252"), "Windows-1252")
        except UnicodeDecodeError:
            pass
        raise


def _is_damaged_utf_8(data: bytes) -> bool:
    """Whether at least as many characters beyond ASCII are UTF-8 as are not."""
    text = data.decode("utf-8", "surrogateescape")
    wrong = sum("\udc80" <= character <= "\udcff" for character in text)
    return sum(not character.isascii() for character in text) >= 2 * wrong


def _lines(before: str) -> int:
    """The number of the line that begins or goes on after this text."""
    return before.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
