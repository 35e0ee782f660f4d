"""What came from the wire, on a line of a log."""

from atlas.server.logs.escaping import escape, escape_controls

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


def test_escaped_fits_into_quotes_on_one_line() -> None:
    assert escape('a"b\\c\nd\x7f\x85é') == "a\\x22b\\x5cc\\x0ad\\x7f\\x85é"
    for control in CONTROLS:
        assert escape(control) == f"\\x{ord(control):02x}"


def test_without_controls_keeps_lines_and_tabs() -> None:
    assert escape_controls('a\tb\n"c"\\') == 'a\tb\n"c"\\'
    for control in set(CONTROLS) - {"\t", "\n"}:
        assert escape_controls(control) == f"\\x{ord(control):02x}"
