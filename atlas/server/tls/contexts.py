"""TLS: makes the contexts of a server from its settings, and replaces them when the files change.

Contexts are replaced as a whole: a handshake under way and an open connection keep the one that they began with.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings

__all__ = ["CertificateWatch", "TLSContext", "make_context", "uses_tls"]

_logger = logging.getLogger("atlas.server")

_PROTOCOLS = ["http/1.1"]  # ALPN, RFC 7301
_REQUIREMENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_WATCH_INTERVAL = 5.0  # seconds between two looks at the files
_EXPIRED, _NOT_YET_VALID = 10, 9  # verify codes of OpenSSL: X509_V_ERR_CERT_HAS_EXPIRED, ..._NOT_YET_VALID


class TLSContext(ssl.SSLContext):
    """A context for the server's end of connections. ``certificate``: the server's certificate in PEM form."""

    certificate: str


def uses_tls(settings: Settings) -> bool:
    """Return whether the settings name a certificate."""
    return settings.ssl_certfile is not None or bool(settings.ssl_certificates)


def make_context(settings: Settings) -> TLSContext | None:
    """Return the context for new connections; None if the settings have no certificate.

    :raises StartupError: if a file cannot be read, a key does not fit its certificate, or a setting is missing.
    """
    if not uses_tls(settings):
        _refuse_without_certificate(settings)
        return None
    default = _default_context(settings)
    by_host = {host: _context(settings, cert, key) for host, cert, key in settings.ssl_certificates}
    if by_host:
        default.sni_callback = _chooser(by_host)
    return default


def _refuse_without_certificate(settings: Settings) -> None:
    for name in ("ssl_keyfile", "ssl_ca_certs"):
        if getattr(settings, name) is not None:
            raise StartupError(f"{_flag(name)}: TLS needs a certificate: name it by --ssl-certfile")
    if settings.ssl_cert_reqs != "none":
        raise StartupError("--ssl-cert-reqs: TLS needs a certificate: name it by --ssl-certfile")


def _default_context(settings: Settings) -> TLSContext:
    if settings.ssl_certfile is not None:
        return _context(settings, settings.ssl_certfile, settings.ssl_keyfile)
    _, cert, key = settings.ssl_certificates[0]  # for clients that name no host, or an unknown one
    return _context(settings, cert, key)


def _context(settings: Settings, certfile: str, keyfile: str | None) -> TLSContext:
    context = TLSContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.ssl_version]
    context.set_alpn_protocols(_PROTOCOLS)
    _load_certificate(context, certfile, keyfile, settings.ssl_keyfile_password)
    context.certificate = _first_certificate(certfile)
    _require_client_certificates(context, settings)
    if settings.ssl_ciphers is not None:
        try:
            context.set_ciphers(settings.ssl_ciphers)
        except ssl.SSLError:
            raise StartupError(f"--ssl-ciphers {settings.ssl_ciphers!r}: OpenSSL knows none of these ciphers") from None
    _warn_of_dates(certfile, context)
    return context


def _load_certificate(context: ssl.SSLContext, certfile: str, keyfile: str | None, password: str | None) -> None:
    for path in filter(None, (certfile, keyfile)):
        _check_readable(path)
    try:
        # The function keeps OpenSSL from asking for the password on the terminal.
        context.load_cert_chain(certfile, keyfile, password if password is not None else lambda: b"")
    except ssl.SSLError as error:
        raise StartupError(_load_error(error, certfile, keyfile, password)) from None
    except OSError as error:  # replaced since the check
        raise StartupError(f"{certfile}, {keyfile or certfile}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a password that is too long
        raise StartupError(f"--ssl-keyfile-password: {error}") from None


def _check_readable(path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise StartupError(f"{path}: cannot be read: {error.strerror or error}") from None


def _load_error(error: ssl.SSLError, certfile: str, keyfile: str | None, password: str | None) -> str:
    key = keyfile or certfile
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key}: the private key does not fit the certificate {certfile}"
    if not _has_block(certfile, "CERTIFICATE"):
        return f"{certfile}: expected a certificate in PEM form, found none"
    if not _has_block(key, "PRIVATE KEY"):
        hint = "" if keyfile else ": name its file by --ssl-keyfile"
        return f"{key}: expected a private key in PEM form, found none{hint}"
    if _has_block(key, "ENCRYPTED") or "ENCRYPTED" in Path(key).read_text(errors="replace"):
        what = "is encrypted: --ssl-keyfile-password is needed" if password is None else "does not open by the password"
        return f"{key}: the private key {what}"
    return f"{certfile}, {key}: cannot be loaded: {error.reason or error}"


def _has_block(path: str, label: str) -> bool:
    lines = Path(path).read_text(errors="replace").splitlines()
    return any(line.startswith("-----BEGIN") and label in line for line in lines)


def _first_certificate(certfile: str) -> str:
    try:
        text = Path(certfile).read_text(errors="replace")
    except OSError as error:
        raise StartupError(f"{certfile}: cannot be read: {error.strerror or error}") from None
    found = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL)
    if found is None:  # "BEGIN TRUSTED CERTIFICATE", which OpenSSL loads
        raise StartupError(f"{certfile}: expected a certificate that begins with '-----BEGIN CERTIFICATE-----'")
    return found[0] + "\n"


def _require_client_certificates(context: ssl.SSLContext, settings: Settings) -> None:
    requirement = _REQUIREMENTS[settings.ssl_cert_reqs]
    if settings.ssl_ca_certs is not None:
        _check_readable(settings.ssl_ca_certs)
        try:
            context.load_verify_locations(settings.ssl_ca_certs)
        except ssl.SSLError:
            raise StartupError(f"{settings.ssl_ca_certs}: expected certificates in PEM form, found none") from None
    elif requirement != ssl.CERT_NONE:
        raise StartupError(
            f"--ssl-cert-reqs {settings.ssl_cert_reqs}: name the issuers of client certificates by --ssl-ca-certs"
        )
    context.verify_mode = requirement


def _warn_of_dates(certfile: str, context: ssl.SSLContext) -> None:
    """Log a warning if the certificate is expired or not yet valid: the ssl module checks dates in a handshake only.

    A client in memory trusts the certificate itself, so that only its dates can be wrong.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certfile)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        context.wrap_bio(to_server, to_client, server_side=True),
    )
    for end in ends * 2:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
                what = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
                _logger.warning("%s: the certificate %s: clients will refuse it", certfile, what)
            return
        except ssl.SSLError:
            return


def _chooser(
    by_host: Mapping[str, ssl.SSLContext],
) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """Return the function that chooses the context by the name that the client sends (SNI, RFC 6066, section 3)."""

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        host = (name or "").lower().rstrip(".")
        found = by_host.get(host) or by_host.get("*." + host.partition(".")[2])
        if found is not None:
            connection.context = found

    return choose


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


# ------------------------------------------------------------------------------------------------------- changes


class CertificateWatch:
    """Makes a new context when a file of the settings changes, or on demand.

    :param settings: the settings.
    :param replace: called with the new context.
    :param on_reloaded: called when :meth:`reload` is done, whether the files are right or wrong.
    """

    def __init__(
        self,
        settings: Settings,
        replace: Callable[[TLSContext], None],
        on_reloaded: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_reloaded = on_reloaded
        self._replace = replace
        self._seen = self._state()
        self._wanted = asyncio.Event()
        self._task = asyncio.ensure_future(self._watch())

    def reload(self) -> None:
        """Read the files again, soon. If they are wrong, log why, and keep what was read before."""
        self._wanted.set()

    def _reload(self) -> None:
        self._seen = self._state()
        try:
            context = make_context(self._settings)
        except (StartupError, OSError) as error:
            _logger.error("the certificates stay as they were: %s", error)
            return
        assert context is not None
        self._replace(context)
        _logger.info("the certificates were read again")

    def close(self) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _WATCH_INTERVAL)
            if not self._wanted.is_set():
                if self._state() != self._seen:
                    self._reload()
                continue
            self._wanted.clear()
            self._reload()
            if self._on_reloaded is not None:
                self._on_reloaded()

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [_file_state(path) for path in _files(self._settings)]


def _files(settings: Settings) -> Iterator[str]:
    names = [settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_ca_certs]
    for _, cert, key in settings.ssl_certificates:
        names += [cert, key]
    return filter(None, names)


def _file_state(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - follows the links that certbot and Kubernetes exchange
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
