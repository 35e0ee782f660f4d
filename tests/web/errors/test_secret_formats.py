"""Names and values without quotes: command lines, configuration files, YAML and XML."""

import pytest

from atlas.web.errors.masking import MASK, masked

SECRETS = [
    # Options with a name.
    "mysql --password hush --host x",
    "tool --db-password hush",
    "az login --client-secret hush",
    "keytool -storepass hush -alias x",
    "psql --no-password --token hush",
    # Options with one letter.
    "sshpass -p hush ssh ada@host -p 22",
    "sshpass -p 123456 ssh host",
    "mysql -u root -phush shop",
    "mysqldump -uroot -p=hush shop",
    "['mysql', '-u', 'root', '-p', 'hush']",
    "['mysql', '-phush']",
    "Command '['sshpass', '-p', 'hush', 'ssh']' returned non-zero exit status 5",
    "docker login -u ada -p hush registry.test",
    "tool -u ada -p hush",
    "tool --user ada -p hush",
    "redis-cli -h db -a hush ping",
    "ldapsearch -x -D cn=admin -w hush",
    # Configuration files.
    "password = hush",
    "[db]\nuser = ada\npassword = my hush word\nhost = x",
    repr("[db]\nuser = ada\npassword = my hush word\nhost = x"),
    "db.password =hush\n",
    "db.password= hush\n",
    "export API_TOKEN = hush",
    "Server=db; User Id=ada; Password = hush; Pooling=true",
    # YAML.
    "user: ada\npassword: hush\n",
    "- password: hush",
    "{user: ada, password: hush}",
    "{password: hush, user: ada}",
    "passphrase: correct hush battery\nuser: ada",
    "private_key: |\n  hush\n  hush\nuser: ada",
    "db:\n  password: >-\n    hush\n    hush\n  user: ada",
    repr("private_key: |\n  hush\n  hush\nuser: ada"),
    # XML.
    "<user><name>ada</name><password>hush</password></user>",
    "<db:password type='text'> hush </db:password >",
    "<token>\n  hush\n</token>",
    "<secret><![CDATA[hush]]></secret>",
    "<credentials><user>ada</user><pass>hush</pass></credentials>",
    '<user name="ada" password="hush"/>',
    repr(b'<?xml version="1.0"?><user password="hush"/>'),
    repr("<a>it's</a>" + '<user password="hush"/>'),
    '<add key="DbPassword" value="hush"/>',
    '<property name="hibernate.connection.password" type="x" value="hush"/>',
    '<input type="hidden" name="csrf_token" value="hush">',
    '<meta name="csrf-token" content="hush">',
    '<string name="api_token">hush</string>',
    "<key>Password</key>\n<string>hush</string>",
]

OTHERS = [
    # Options with one letter that are something else.
    "mkdir -p build/logs",
    "ssh -p 22 ada@host",
    "docker run -u root -p 8080:80 nginx",
    "docker run -u root -p 127.0.0.1:8080:80 nginx",
    "tool -u ada -p /etc/tool.conf",
    "['mkdir', '-p', 'build']",
    "cp -a from to",
    "mysql -u root -P 3306 shop",
    # Sentences.
    "error: --password is required",
    "the option --token requires an argument",
    "use --password or --token",
    "a well-known key is missing",
    "passphrase: must have at least eight characters",
    "session: expected a str as the key, got 3",
    # Comparisons, placeholders and objects.
    "assert password == given",
    "SELECT name FROM users WHERE password = %s AND token = $1",
    "UPDATE users SET password = ? WHERE token = :token",
    "token = <Token 5>",
    "host = db.test\nport = 5432",
    # Markup.
    "[<Session object at 0x7f01>, <Key object at 0x7f02>]",
    "<title>Password forgotten</title>",
    '<label for="password">Your password</label> <input id="password" type="text">',
    '<h2 id="token">Tokens</h2>',
    "<key>Name</key><string>Ada</string>",
    '<add key="Name" value="Ada"/>'.replace("key=", "name="),
    # YAML.
    "user: |\n  ada\n  bob\n",
    "keyboard: |\n  de\n",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_masked(text: str) -> None:
    assert "hush" not in masked(text)
    assert "123456" not in masked(text)
    assert MASK in masked(text)


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("mysql --password hush --host x", "mysql --password * --host x"),
        ("sshpass -p hush ssh ada@host", "sshpass -p * ssh ada@host"),
        ("[db]\npassword = my hush\nhost = x", "[db]\npassword = *\nhost = x"),
        ("Password = hush; Pooling=true", "Password = *; Pooling=true"),
        ("private_key: |\n  hush\n  hush\nuser: ada", "private_key: *\nuser: ada"),
        ("<user><password>hush</password><age>3</age></user>", "<user><password>*</password><age>3</age></user>"),
        ('<input name="token" value="hush"> <b>x</b>', '<input name="token" value="*"> <b>x</b>'),
    ],
)
def test_what_stands_around_stays(text: str, rest: str) -> None:
    assert masked(text).replace(MASK, "*") == rest


@pytest.mark.parametrize(
    "part",
    [
        "-p ", "mysql -p", "-u", "--a ", "a = ", "a =", "a=\t", " = ", "a: |\n ", "a: |\n", "\n  ", "  ", "\\n", "<",
        "<a>", "<a ", "<a><![CDATA[", "<key>", "<key>a</key>", 'name="a" ', 'name="', "<string ", '<string name="a">',
        "</a>", "passphrase: ", "export ", "- a: ", "\\r\\n",
    ],
)  # fmt: skip
def test_the_time_is_linear(part: str) -> None:
    """Twice quadratic in this size would be minutes."""
    assert masked(part * (40_000 // len(part))) is not None
