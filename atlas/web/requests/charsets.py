"""The character encodings that a client may name, and the parameters of a field in which it names one.

Only labels of a table are accepted. Python has codecs that are no encoding of text (``idna``, ``unicode_escape``) or
take far more time than the text is long, and it remembers each label that was looked up.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

from atlas.web.exceptions import BadRequest

__all__ = ["checked_charset", "declared_charset", "decode_text", "find_charset", "parse_parameters"]

# Python's names of the encodings of the Encoding standard (WHATWG), and of some older systems.
_ENCODINGS = frozenset(
    """
    ascii utf_8 utf_8_sig utf_16 utf_16_le utf_16_be utf_32 utf_32_le utf_32_be
    latin_1 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11
    iso8859_13 iso8859_14 iso8859_15 iso8859_16
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    cp437 cp850 cp852 cp855 cp858 cp862 cp864 cp866 cp874 cp932 cp949 cp950
    koi8_r koi8_u mac_roman mac_cyrillic tis_620
    shift_jis euc_jp iso2022_jp gb2312 gbk gb18030 big5 big5hkscs euc_kr
    """.split()  # noqa: SIM905  # a list of 70 quoted names is harder to read
)
_LABELS = {
    "windows_31j": "cp932",
    "x_sjis": "shift_jis",
    "x_euc_jp": "euc_jp",
    "x_gbk": "gbk",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "x_mac_cyrillic": "mac_cyrillic",
    "iso_8859_8_i": "iso8859_8",
    **{label: name for label, name in aliases.items() if name in _ENCODINGS},
    **{name: name for name in _ENCODINGS},
}

# One parameter: a token, "=", and a quoted string or the text up to the next semicolon. A backslash before the last
# quote, as in a file name of Shift_JIS, does not continue the string.
_PARAMETER = re.compile(r""";[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|"[^"]*"|[^;]*)""")


def find_charset(label: str) -> str | None:
    """Return Python's name of a character encoding.

    :param label: the name that the client uses, such as ``windows-1252`` or ``Shift_JIS``.
    :returns: the name of the codec; None for an unknown label.
    """
    return _LABELS.get(label.strip().lower().replace("-", "_").replace(".", "_"))


def checked_charset(label: str | None) -> str | None:
    """Return Python's name of the character encoding that a program passes.

    :param label: the name; None for none.
    :raises ValueError: for an unknown name.
    """
    charset = None if label is None else find_charset(label)
    if charset is None and label is not None:
        raise ValueError(f"charset: expected a character encoding such as 'windows-1252', got {label!r}")
    return charset


def decode_text(data: bytes, content_type: str) -> str:
    """Decode a text.

    :param data: the bytes.
    :param content_type: its content type, whose ``charset`` applies; UTF-8 by default.
    :raises BadRequest: if the text is not in that encoding, or the encoding is unknown.
    """
    label = parse_parameters(content_type)[1].get("charset", "").strip('"') or "utf-8"
    charset = find_charset(label)
    if charset is None:
        raise BadRequest(f"the content type names an unknown character encoding: {label[:40]!r}")
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        raise BadRequest(f"the body is not {charset.replace('_', '-').upper()}") from None


def declared_charset(label: str | None, what: str) -> str | None:
    """Return Python's name of the character encoding that a form declares.

    :param label: the name; None or "" if the form declares none.
    :param what: what declares it, for the message.
    :returns: the name of the codec; None if the form declares none.
    :raises BadRequest: for an unknown label, and for an encoding in which ``&`` and ``=`` are not the bytes of ASCII.
    """
    if not label:
        return None
    charset = find_charset(label)
    if charset is None or charset.startswith(("utf_16", "utf_32")):
        raise BadRequest(f"{what} names the character encoding {label[:40]!r}, in which a form cannot be read")
    return charset


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Parse a field value with parameters (RFC 9110 5.6.6), such as that of ``content-type``.

    :param value: the value.
    :returns: the part before the first semicolon, and the values of the parameters by their names; that part and the
        names in lower case. A quoted value still has its quotes. What is no parameter is ignored.
    """
    first, semicolon, _ = value.partition(";")
    if not semicolon:
        return first.strip().lower(), {}
    found = {match[1].lower(): match[2].rstrip(" \t") for match in _PARAMETER.finditer(value, len(first))}
    return first.strip().lower(), found
