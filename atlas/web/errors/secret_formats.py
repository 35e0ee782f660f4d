"""Where a text has names and values without quotes: command lines, configuration files, YAML and XML.

A pattern has the groups ``name`` and ``value``; the value is a secret if the name suggests one. Each begins where no
other match of it can have begun, and is bounded by a line, a tag or a number, so that the time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["BLOCKS", "UNQUOTED", "mask_short_options"]

_NEWLINE = r"(?:\r?\n|(?:\\r)?\\n)"  # also as in the repr of a text
_LINE_START = r"""(?:^|(?<=\\n)|(?<=['"]))"""
_REST_OF_LINE = r"""[^\r\n\\'"]+"""

# What stands behind an option, or a name, in a sentence.
_PROSE = (
    r"(?:an?|and|are|as|at|be|but|by|can|cannot|does|expect(?:s|ed)|for|from|has|have|if|in|is|it|may|must|needs?|not|of"
    r"|on|options?|or|requires?|should|takes?|than|that|the|to|was|were|which|will|with|without)\b"
)
# Objects, containers, comparisons, and the placeholders of SQL.
_NO_LITERAL = r"[=<>({\[?:]|\$\d|%[s(]"

# An option of a command, and its value behind a blank: `--password hush`.
_OPTION = (
    rf"""(?<![\w-])-{{1,2}}(?P<name>[A-Za-z][\w-]+)(?P<is>[ \t]+)(?!{_PROSE})(?P<value>[^\s'",;|&<>\\-][^\s'"\\]*)"""
)
# A line of an .ini or .properties file, `password = my hush`, up to a semicolon behind which a connection string goes
# on; the same within a line, up to a blank or a separator.
_ASSIGNED_LINE = (
    rf"{_LINE_START}[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)(?P<is>[ \t]+=[ \t]*|=[ \t]+)"
    rf"""(?![ \t]|{_NO_LITERAL})(?P<value>(?:(?!;[ \t]*[A-Za-z][\w ]*=)[^\r\n\\'"])+)"""
)
_ASSIGNED = (
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*)(?P<is>[ \t]+=[ \t]*|=[ \t]+)"
    rf"""(?![ \t]|{_NO_LITERAL})(?P<value>[^\s;,&'"\\<>]+)"""
)
# A block of YAML: the lines that are indented deeper. Of texts of several words only a passphrase: others are messages.
_BLOCK = (
    rf"{_LINE_START}(?P<indent>[ \t]*)(?:-[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)(?P<is>:[ \t]*)"
    rf"(?P<value>[|>][+-]?[ \t]*(?:{_NEWLINE}(?P=indent)[ \t]+{_REST_OF_LINE})+)"
)
_PHRASE = rf"(?<![\w-])(?P<name>\w*passphrase)(?P<is>:[ \t]+)(?!{_PROSE})(?P<value>{_REST_OF_LINE})"

UNQUOTED = (
    re.compile(_ASSIGNED_LINE, re.MULTILINE),
    re.compile(_ASSIGNED),
    re.compile(_OPTION),
    re.compile(_PHRASE, re.IGNORECASE),
)

_QUOTE = r"""\\?['"]"""
_CONTENT = r"(?:<!\[CDATA\[)?(?P<value>[^<]+)"
# `<password>hush</password>`; a key is a name in a property list
_ELEMENT = rf"<(?![Kk]ey>)(?P<name>[A-Za-z_][\w:.-]*)(?P<is>(?:\s[^<>]*)?>){_CONTENT}(?=</(?P=name)\s*>)"
_CDATA = r"<(?P<name>[A-Za-z_][\w:.-]*)(?P<is>(?:\s[^<>]*)?><!\[CDATA\[)(?P<value>[^<\]]+)"
# `<add key="DbPassword" value="hush"/>`, `<input name="token" type="hidden" value="hush">`
_ATTRIBUTE = (
    rf"\b(?:name|key|id)=(?:{_QUOTE})(?P<name>[\w:.-]+)(?:{_QUOTE})"
    rf"(?P<is>[^<>]{{0,200}}?\s(?:value|content)=(?:{_QUOTE}))(?P<value>[^<>'\"\\]+)"
)
# `<string name="token">hush</string>`
_NAMED_ELEMENT = (
    rf"<(?:add|attribute|data|entry|env|field|item|param|property|setting|string|value|var)\s[^<>]{{0,200}}?"
    rf"\b(?:name|key|id)=(?:{_QUOTE})(?P<name>[\w:.-]+)(?:{_QUOTE})(?P<is>[^<>]*>){_CONTENT}(?=</)"
)
# `<key>Password</key><string>hush</string>` of a property list
_LISTED = rf"<key>(?P<name>[^<>]+)</key>(?P<is>(?:\s|\\[nrt]){{0,80}}<\w+>){_CONTENT}(?=</)"

# Those that are to be found before what is inside them.
BLOCKS = (
    re.compile(_BLOCK, re.MULTILINE),
    *(re.compile(each) for each in (_LISTED, _ATTRIBUTE, _NAMED_ELEMENT, _CDATA, _ELEMENT)),
)

# Programs, with the letters of their options that take a password. A name of a user is a sign of one, too.
_PROGRAM = re.compile(
    r"\b(?:(?P<p>sshpass|(?:mysql|mariadb|mongo)\w*|login)|(?P<a>redis-cli)|(?P<w>ldap\w+))\b"
    r"|(?<![\w-])(?:-u|--user(?:name)?)(?![\w-])"
)
_BEHIND = r"""(?<![\w-])-{letter}(?:['"]?,?[ =]*['"]?)(?P<value>[^\s'",\\-][^\s'",\\]*)"""
_SHORT = {letter: re.compile(_BEHIND.replace("{letter}", letter)) for letter in "paw"}
_PORTS = re.compile(r"[\d.:,/-]+")
_PATH = re.compile(r"[/.~]")


def mask_short_options(text: str, mask: Callable[[re.Match[str]], str]) -> str:
    """Mask the passwords of options with one letter, as in ``sshpass -p hush`` and ``mysql -u root -phush``.

    The letter alone says nothing: ``-p`` is a port of one program and a folder of another.

    :param text: the text.
    :param mask: returns what replaces a match, whose group ``value`` is the password.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        program = _PROGRAM.search(line)
        if program is not None:
            letter = program.lastgroup or "p"
            certain = program.lastgroup is not None

            def masked(found: re.Match[str], certain: bool = certain) -> str:
                value = found["value"]
                return mask(found) if certain or not (_PORTS.fullmatch(value) or _PATH.match(value)) else found[0]

            rest = _SHORT[letter].sub(masked, line[program.end() :])
            lines[number] = line[: program.end()] + rest
    return "\n".join(lines)
