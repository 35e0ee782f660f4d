"""The ``tls`` extension of the ASGI scope: the certificates, the version and the cipher of a connection.

Source: the TLS extension of ASGI, version 0.2.
"""

from __future__ import annotations

import ssl
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["TLSExtension"]

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}  # RFC 8446, section 4.1.2
# RFC 4514, section 3: the names of attributes that have a short one
_SHORT_NAMES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_SPECIAL = frozenset('",+;<>\\')


class TLSExtension:
    """Makes the extension of each connection once."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[ssl.SSLObject, dict[str, Any]] = WeakKeyDictionary()

    def __call__(self, connection: ssl.SSLObject) -> dict[str, Any]:
        """Return the extension of a connection whose handshake is complete, as a dict that belongs to the caller."""
        made = self._made.get(connection)
        if made is None:
            made = self._made[connection] = _make(connection)
        return dict(made)


def _make(connection: ssl.SSLObject) -> dict[str, Any]:
    """A client certificate that cannot be verified ends the handshake: there is never a ``client_cert_error``."""
    cipher = connection.cipher()
    return {
        "server_cert": getattr(connection.context, "certificate", None),
        "client_cert_chain": _client_chain(connection),
        "client_cert_name": _client_name(connection),
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": _cipher_id(connection.context, cipher[0]) if cipher else None,
    }


def _client_chain(connection: ssl.SSLObject) -> list[str]:
    """Return the client's certificates in PEM form, its own first; only this one where Python is older than 3.13."""
    own = connection.getpeercert(binary_form=True)
    if own is None:
        return []
    chain = connection.get_verified_chain() if hasattr(connection, "get_verified_chain") else [own]
    return [ssl.DER_cert_to_PEM_cert(certificate) for certificate in chain]


def _client_name(connection: ssl.SSLObject) -> str | None:
    """Return the subject of the client's certificate as RFC 4514, section 2 has it."""
    certificate = connection.getpeercert()
    if not certificate:
        return None
    names: Any = certificate.get("subject", ())
    return ",".join("+".join(map(_attribute, relative_name)) for relative_name in reversed(names))


def _attribute(pair: tuple[str, str]) -> str:
    name, value = pair
    return f"{_SHORT_NAMES.get(name, name)}={_escape(value)}"


def _escape(value: str) -> str:
    escaped = "".join("\\" + char if char in _SPECIAL else "\\00" if char == "\0" else char for char in value)
    if escaped[:1] in ("#", " "):
        escaped = "\\" + escaped
    if len(escaped) > 1 and escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return escaped


def _cipher_id(context: ssl.SSLContext, name: str) -> int | None:
    """Return the number of a cipher suite (RFC 8446, appendix B.4)."""
    for cipher in context.get_ciphers():
        if cipher["name"] == name:
            return int(cipher["id"]) & 0xFFFF
    return None
