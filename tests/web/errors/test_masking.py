from dataclasses import dataclass
from typing import Any

import pytest

from atlas.web.errors.masking import MASK, is_secret, masked, masked_source, shown


@pytest.mark.parametrize(
    "name",
    [
        "password", "user_password", "passwd", "SECRET_KEY", "apiKey", "api_key", "csrfToken", "access-token",
        "Authorization", "Proxy-Authorization", "cookie", "Set-Cookie", "session", "sessionid", "key", "pin",
        "PASSWORDHASH", b"cookie", "credentials", "pass", "db_pass", "dbPass", "dbpass", "smtppass", "pw", "DB_PW",
        "userPwd", "sid", "PHPSESSID", "creds", "password_salt", "XSRF-TOKEN", "sig",
    ],
)  # fmt: skip
def test_names_of_secrets(name: Any) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["monkey", "author", "keyboard", "host", "spin", "compass", "bypass", "passenger", "KeyError", "", None, 5]
)
def test_names_of_other_things(name: Any) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        "Login(name='ada', password='hush')",
        "{'token': 'hush'}",
        '{"api_key": "hush"}',
        "[(b'authorization', b'hush'), (b'host', b'x')]",
        'SECRET_KEY: str = "hush"',
        'secret = "hush \\" hush"',
        "x: Bearer hush-hush",
        "postgres://ada:hush@db.test/site",
        "postgres://ada:h:u@hush@db.test/site",
        "https://hushhushhushhushhush@git.test/x",
        "ada:hush@db.test",
        "curl -u ada:hush https://a.test",
        "login failed: user=ada&password=hush",
        "user=ada&password=hush&next=/",
        "b'user%5Bpassword%5D=hush'",
        "http://a.test/reset?token=hush#top",
        "http://a.test/login?next=%2Freset%3Ftoken%3Dhush",
        "DB_PASS=hush\nHOST=x",
        "Account(name=ada, pw=hush)",
        "Set-Cookie: id=hush; Path=/",
        "GET / HTTP/1.1\r\nCookie: a=hush; b=hush\r\nHost: x",
        "'X-Api-Key: hush'",
        "host: x\npassword: hush\n",
        repr(b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nhush\r\n--x--'),
        '--x\r\nContent-Disposition: form-data; name="pass"\r\nContent-Type: text/plain\r\n\r\nhush\r\n--x--',
        "it was eyJhbGciOiJIUzI1NiJ9.hushhushhush.hush",
        "Command '['mysql', '--password=hush']' returned non-zero exit status 1",
        "['mysql', '--password', 'hush']",
        "('ada', 'password', 'hush')",
        "{ 'password' => 'hush' }",
        repr("it's " + '{"password": "hush"}') + '{\\"token\\": \\"hush\\"}',
        "https://blob.test/x?sv=1&sig=hush",
        "-----BEGIN RSA PRIVATE KEY-----\nhush\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_in_a_text(text: str) -> None:
    assert "hush" not in masked(text)
    assert MASK in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "Lake(name='Ness', depth=230, monkey='x') http://a.test/b",
        "http://a.test:8000/users/@ada?page=2&sort=name",
        "session: expected a str as the key, got 3",
        "KeyError: name",
        "ada@example.test at 10:30, mailto:ada@example.test",
        'form-data; name="text"\r\n\r\nhello\r\n',
        "X-Request-Id: 5",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "line",
    [
        "raise ValueError('login failed: user=ada&password=hush')",
        'password = "hush"',
        "    PASSWORD=hush",
        'text = """DB_PASS=hush',
        "connect('postgres://ada:hush@db.test', timeout=5)",
    ],
)
def test_secrets_in_source(line: str) -> None:
    assert "hush" not in masked_source(line)


@pytest.mark.parametrize(
    "line", ["token = old", "    key = row.name", "password = request.password or None", "x = a -p"]
)
def test_source_without_strings_stays(line: str) -> None:
    assert masked_source(line) == line


@pytest.mark.parametrize("line", ["login(request, 'x', password=given)", "rows = sorted(rows, key=len) or 'none'"])
def test_other_source_stays(line: str) -> None:
    assert masked_source(line) == line


class Evil:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless:
    def __repr__(self) -> str:
        return f"<{self!r}>"


@dataclass
class Login:
    password: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ({"password": "hush", "n": 1}, f"{{'password': {MASK}, 'n': 1}}"),
        ([Login("hush")], f"[Login(password='{MASK}')]"),
        (Evil(), "<Evil, whose repr raised RuntimeError>"),
        ([Evil()], "[<Evil, whose repr raised RuntimeError>]"),
        ({Evil(): Evil()}, "{<Evil, whose repr raised RuntimeError>: <Evil, whose repr raised RuntimeError>}"),
        (Endless(), "<Endless, whose repr raised RecursionError>"),
        (None, "None"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert shown("value", value) == text


def test_values_of_secret_names_are_masked() -> None:
    assert shown("password", "hush") == MASK
    assert shown("password", Evil()) == MASK
    assert shown("password", None) == "None"


def test_long_values_are_cut() -> None:
    assert shown("x", "y" * 5000) == f"'{'y' * 600}'… 5,000 characters"
    assert shown("x", b"y" * 5000).endswith("… 5,000 bytes")
    assert shown("x", ["y" * 5000]) == f"['{'y' * 160}'… 5,000 characters]"
    assert len(shown("x", {str(number): number for number in range(5000)})) < 500
    assert shown("x", {str(number): number for number in range(30)}).endswith("… 10 more}")
    assert len(shown("x", [["y" * 150] * 50] * 50)) < 2100


@pytest.mark.parametrize(
    "part",
    ["a", "x=", 'name="', "a:", "a.", "a-", "x-a", "key: ", "://", "%3F", "eyJ", "'a':", '\\"', "--", "a','", "a:'"],
)
def test_the_time_is_linear(part: str) -> None:
    """Twice quadratic in this size would be minutes."""
    text = part * (200_000 // len(part))
    assert masked(text) is not None
