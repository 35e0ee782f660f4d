"""The names of client certificates; test_contexts.py has the rest of the extension, over handshakes."""

from typing import Any

import pytest

from atlas.server.tls.extension import TLSExtension


class Connection:
    """An ssl.SSLObject whose client has a certificate with this subject."""

    context = None

    def __init__(self, subject: Any) -> None:
        self.subject = subject

    def cipher(self) -> None:
        return None

    def version(self) -> str:
        return "TLSv1.2"

    def getpeercert(self, binary_form: bool = False) -> Any:
        return b"DER" if binary_form else {"subject": self.subject}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (((("countryName", "SE"),), (("commonName", "Ada"),)), "CN=Ada,C=SE"),
        (((("organizationName", 'A, "B" + C; <D>'),),), r"O=A\, \"B\" \+ C\; \<D\>"),
        (((("commonName", "#1"),), (("commonName", " a "),)), r"CN=\ a\ ,CN=\#1"),
        (((("commonName", "a"), ("emailAddress", "a@b")),), "CN=a+emailAddress=a@b"),
        (((("commonName", "a\0b"),),), r"CN=a\00b"),
        ((), ""),
    ],
)
def test_names(subject: Any, name: str) -> None:
    extension = TLSExtension()(Connection(subject))  # type: ignore[arg-type]
    assert extension["client_cert_name"] == name
    assert extension["tls_version"] == 0x0303
    assert extension["cipher_suite"] is extension["server_cert"] is extension["client_cert_error"] is None
