"""TLS contexts: the certificates of hosts and clients, every wrong file by name, files that change."""

from __future__ import annotations

import asyncio
import datetime
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.tls.contexts import CertificateWatch, make_context
from atlas.server.tls.extension import TLSExtension

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def issue(authority: trustme.CA, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """``issue(host, **options)`` writes a certificate and its key; returns the settings that name them."""

    def write(host: str, *, folder: str = "tls", **options: Any) -> dict[str, str]:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        certificate = authority.issue_cert(host, **options)
        certificate.private_key_pem.write_to_path(str(place / "key.pem"))
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(str(place / "cert.pem"), append=number > 0)
        return {"ssl_certfile": str(place / "cert.pem"), "ssl_keyfile": str(place / "key.pem")}

    return write


def connect(context: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Complete a handshake in memory; returns the client's and the server's end."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=host),
        context.wrap_bio(to_server, to_client, server_side=True),
    )
    left = list(ends)
    for _ in range(6):
        for end in left[:]:
            try:
                end.do_handshake()
                left.remove(end)
            except ssl.SSLWantReadError:
                pass
    assert not left
    return ends


def client_context(authority: trustme.CA, **options: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for name, value in options.items():
        setattr(context, name, value)
    return context


def names_of(end: ssl.SSLObject) -> list[str]:
    certificate: Any = end.getpeercert()
    return [name for _, name in certificate["subjectAltName"]]


def test_without_a_certificate_there_is_no_context() -> None:
    assert make_context(Settings()) is None


def test_version_and_alpn(authority: trustme.CA, issue: Callable[..., dict[str, str]]) -> None:
    context = make_context(Settings(**issue("site.test")))  # type: ignore[arg-type]
    assert context is not None
    client = client_context(authority)
    client.set_alpn_protocols(["h2", "http/1.1"])
    end, _ = connect(context, client, "site.test")
    assert (end.version(), end.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_minimum_version_of_1_3(authority: trustme.CA, issue: Callable[..., dict[str, str]]) -> None:
    context = make_context(Settings(**issue("site.test"), ssl_version="1.3"))  # type: ignore[arg-type]
    assert context is not None
    with pytest.raises(ssl.SSLError):
        connect(context, client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2), "site.test")


def test_each_host_has_its_certificate(authority: trustme.CA, issue: Callable[..., dict[str, str]]) -> None:
    main = issue("site.test")
    one, every = issue("one.test", folder="one"), issue("*.many.test", folder="many")
    certificates = [
        f"One.TEST={one['ssl_certfile']},{one['ssl_keyfile']}",
        ("*.many.test", every["ssl_certfile"], every["ssl_keyfile"]),
    ]
    context = make_context(Settings(**main, ssl_certificates=certificates))  # type: ignore[arg-type]
    assert context is not None
    client = client_context(authority)
    for host, expected in (("one.test", "one.test"), ("a.many.test", "*.many.test"), ("site.test", "site.test")):
        end, server_end = connect(context, client, host)
        assert names_of(end) == [expected]
        assert TLSExtension()(server_end)["server_cert"].startswith("-----BEGIN CERTIFICATE-----\n")
    client.set_alpn_protocols(["http/1.1"])
    assert connect(context, client, "one.test")[0].selected_alpn_protocol() == "http/1.1"
    unnamed = client_context(authority, check_hostname=False)
    for host in (None, "many.test", "a.b.many.test", "other.test"):
        assert names_of(connect(context, unnamed, host)[0]) == ["site.test"]


def test_the_first_of_several_hosts_is_the_default(authority: trustme.CA, issue: Callable[..., dict[str, str]]) -> None:
    one = issue("one.test")
    context = make_context(Settings(ssl_certificates=[("one.test", one["ssl_certfile"], one["ssl_keyfile"])]))  # type: ignore[arg-type]
    assert context is not None
    end, _ = connect(context, client_context(authority, check_hostname=False), None)
    assert names_of(end) == ["one.test"]


@pytest.mark.parametrize("requirement", ["required", "optional"])
def test_client_certificates(
    authority: trustme.CA, issue: Callable[..., dict[str, str]], tmp_path: Path, requirement: str
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = Settings(**issue("site.test"), ssl_ca_certs=str(tmp_path / "ca.pem"), ssl_cert_reqs=requirement)  # type: ignore[arg-type]
    context = make_context(settings)
    assert context is not None
    client = client_context(authority)
    identity = authority.issue_cert("ada@site.test", common_name="Ada, of Site", organization_name="Site")
    identity.configure_cert(client)
    _, end = connect(context, client, "site.test")
    extension = TLSExtension()(end)
    assert extension["client_cert_name"].startswith("CN=Ada\\, of Site,")
    assert ssl.PEM_cert_to_DER_cert(extension["client_cert_chain"][0]) == end.getpeercert(binary_form=True)
    assert extension["client_cert_error"] is None
    assert (extension["tls_version"], extension["cipher_suite"]) in {(0x0304, suite) for suite in range(0x1301, 0x1306)}
    if requirement == "optional":
        assert TLSExtension()(connect(context, client_context(authority), "site.test")[1])["client_cert_chain"] == []
    unknown = client_context(authority)
    trustme.CA().issue_cert("eve@site.test").configure_cert(unknown)
    with pytest.raises(ssl.SSLError):
        connect(context, unknown, "site.test")


# -------------------------------------------------------------------------------------------------- what is wrong


def trusted_form(path: str) -> str:
    """The certificate of a file in another form, which OpenSSL loads as well."""
    return Path(path).read_text().replace(" CERTIFICATE-", " TRUSTED CERTIFICATE-")


def test_files_that_are_wrong_are_named(
    issue: Callable[..., dict[str, str]], tmp_path: Path, authority: trustme.CA
) -> None:
    good, other = issue("site.test"), issue("other.test", folder="other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(trusted_form(good["ssl_certfile"]))
    for settings, message in (
        ({**good, "ssl_certfile": str(tmp_path / "none.pem")}, r"none\.pem: cannot be read: No such file"),
        ({**good, "ssl_keyfile": str(tmp_path)}, r"cannot be read: Is a directory"),
        (
            {**good, "ssl_keyfile": other["ssl_keyfile"]},
            r"other/key\.pem: the private key does not fit .*tls/cert\.pem",
        ),
        ({**good, "ssl_certfile": str(text)}, r"text\.pem: expected a certificate in PEM form, found none"),
        ({**good, "ssl_keyfile": str(text)}, r"text\.pem: expected a private key in PEM form, found none$"),
        (
            {"ssl_certfile": good["ssl_certfile"]},
            r"cert\.pem: expected a private key .*: name its file by --ssl-keyfile",
        ),
        ({**good, "ssl_certfile": str(trusted)}, r"trusted\.pem: expected a certificate that begins with '-----BEGIN"),
        ({**good, "ssl_ca_certs": str(text)}, r"text\.pem: expected certificates in PEM form"),
        ({**good, "ssl_cert_reqs": "required"}, r"--ssl-cert-reqs required: name the issuers .* --ssl-ca-certs"),
        ({**good, "ssl_ciphers": "NONE-SUCH"}, r"--ssl-ciphers 'NONE-SUCH'"),
        ({"ssl_keyfile": good["ssl_keyfile"]}, r"--ssl-keyfile: TLS needs a certificate: name it by --ssl-certfile"),
        ({"ssl_cert_reqs": "required"}, r"--ssl-cert-reqs: TLS needs a certificate"),
        ({"ssl_certificates": [f"a.test={tmp_path / 'none.pem'}"]}, r"none\.pem: cannot be read"),
    ):
        with pytest.raises(StartupError, match=message):
            make_context(Settings(**settings))  # type: ignore[arg-type]


def test_an_encrypted_key(issue: Callable[..., dict[str, str]]) -> None:
    from cryptography.hazmat.primitives import serialization

    files = issue("site.test")
    key_path = Path(files["ssl_keyfile"])
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"right"),
        )
    )
    with pytest.raises(StartupError, match=r"key\.pem: the private key is encrypted: --ssl-keyfile-password is needed"):
        make_context(Settings(**files))  # type: ignore[arg-type]
    with pytest.raises(StartupError, match=r"key\.pem: the private key does not open by the password"):
        make_context(Settings(**files, ssl_keyfile_password="wrong"))  # type: ignore[arg-type]
    assert make_context(Settings(**files, ssl_keyfile_password="right")) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        ({"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}, "has expired"),
        ({"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}, "is not valid yet"),
        ({}, None),
    ],
)
def test_dates(
    issue: Callable[..., dict[str, str]], caplog: pytest.LogCaptureFixture, dates: dict[str, Any], message: str | None
) -> None:
    files = issue("site.test", **dates)
    assert make_context(Settings(**files)) is not None  # type: ignore[arg-type]
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    if message is None:
        assert logged == []
    else:
        assert logged == [f"{files['ssl_certfile']}: the certificate {message}: clients will refuse it"]


# --------------------------------------------------------------------------------------------- files that change


def test_a_file_that_changes_is_read_again(
    issue: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("atlas.server.tls.contexts._WATCH_INTERVAL", 0.005)
    caplog.set_level(logging.INFO, "atlas.server")
    files = issue("site.test")

    async def main() -> None:
        made: asyncio.Queue[ssl.SSLContext] = asyncio.Queue()
        watch = CertificateWatch(Settings(**files), made.put_nowait)  # type: ignore[arg-type]
        try:
            issue("site.test")
            async with asyncio.timeout(10):
                await made.get()
                Path(files["ssl_certfile"]).write_text("a file that is being written")
                while "stay as they were" not in caplog.text:
                    await asyncio.sleep(0.005)
                issue("site.test")
                await made.get()
                Path(files["ssl_certfile"]).write_text(trusted_form(files["ssl_certfile"]))
                while "begins with '-----BEGIN CERTIFICATE-----'" not in caplog.text:
                    await asyncio.sleep(0.005)
                assert made.empty()
                issue("site.test")
                await made.get()
        finally:
            watch.close()

    asyncio.run(main())
    assert "the certificates were read again" in caplog.text
