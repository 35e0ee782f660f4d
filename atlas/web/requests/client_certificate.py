"""The certificate of a client, as the server has verified it."""

from __future__ import annotations

from dataclasses import dataclass

from atlas.types import Scope

__all__ = ["ClientCertificate"]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a client has proved to own.

    ``name``: its subject, as RFC 4514, section 2 has it: ``CN=Ada,O=Example``. ``chain``: certificates in PEM form,
    that of the client first; the server may know no others.
    """

    name: str
    chain: tuple[str, ...]

    @classmethod
    def of(cls, scope: Scope) -> ClientCertificate | None:
        """Return the certificate that the ``tls`` extension of an ASGI scope has; None if it has none."""
        tls = scope.get("extensions", {}).get("tls") or {}
        chain = tuple(tls.get("client_cert_chain") or ())
        return cls(str(tls.get("client_cert_name") or ""), chain) if chain else None
