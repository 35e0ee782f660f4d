"""Pages that load again when files change, in development: what is added to them, and the events that they wait for.

A page gets one script element. The script opens a stream of server-sent events (HTML standard, 9.2), whose data is a
version: that of the process and of the files. When it is another one than that of the page, the page loads again. Pages
are the responses to navigations of a browser; parts of a page, streams and other content stay as they are.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncGenerator, Iterable

__all__ = ["EVENTS_PATH", "MAX_PAGE", "SCRIPT", "SCRIPT_PATH", "PageRefresh", "is_navigation", "is_page", "is_unwanted"]

_logger = logging.getLogger("atlas.server")

EVENTS_PATH = "/_atlas/refresh"
SCRIPT_PATH = "/_atlas/refresh.js"
MAX_PAGE = 8 * 1024 * 1024
"""Maximum size in bytes of a body that is held until it is whole."""

_PING_INTERVAL = 15.0  # seconds
_FIRST_LINE = "retry: 200\n"  # milliseconds until a browser connects again
_MAX_POLICIES = 100  # whose log line is remembered

# A hidden page closes its stream, because browsers open at most six connections to a host. The mark in sessionStorage
# keeps a page that is served with an old version from loading again and again.
SCRIPT = b"""\
(() => {
  const script = document.currentScript;
  const version = script.dataset.version;
  let source = null;
  const reload = async (found) => {
    if (sessionStorage.getItem("atlas-refresh") === found) return;
    sessionStorage.setItem("atlas-refresh", found);
    const elements = document.querySelectorAll("link[rel~=stylesheet][href], script[src]");
    const urls = [...elements].map((each) => each.href || each.src);
    const own = urls.filter((url) => url.startsWith(location.origin + "/"));
    await Promise.allSettled(own.map((url) => fetch(url, { cache: "reload" })));
    location.reload();
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    if (document.hidden || source) return;
    source = new EventSource(new URL("refresh", script.src));
    source.onmessage = (event) => event.data !== version && reload(event.data);
    source.onerror = () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      setTimeout(open, 1000);
    };
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
"""

Fields = Iterable[tuple[bytes, bytes]]

# A page that is fetched by a script of another page is a part of that page.
_PARTS = frozenset([b"hx-request", b"turbo-frame", b"x-pjax", b"x-requested-with", b"x-up-target", b"unpoly-target"])
_DESTINATIONS = frozenset([b"document", b"iframe", b"frame"])
# Fields of a navigation that the application does not get: its response has to be whole, and as it is.
_CONDITIONS = [b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"]
_UNWANTED = frozenset([*_CONDITIONS, b"accept-encoding", b"range"])
_END = re.compile(rb"</body\s*>", re.IGNORECASE)
_OTHER_CHARSET = re.compile(rb"charset\s*=\s*[\"']?utf-?(?:16|32)", re.IGNORECASE)


class PageRefresh:
    """The open pages of a process, and what is added to a page."""

    def __init__(self) -> None:
        self.version = secrets.token_hex(8)
        self._changed = asyncio.Event()
        self._closed = False
        self._refused: set[bytes] = set()

    def refresh(self) -> None:
        """Have all open pages load again."""
        self.version = secrets.token_hex(8)
        self._wake()

    def close(self) -> None:
        """End all streams of events: the server stops."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the events of one page, encoded: the version, now and whenever it changes."""
        sent = self.version
        yield f"{_FIRST_LINE}data: {sent}\n\n".encode()
        while not self._closed:
            if self.version != sent:
                sent = self.version
                yield f"data: {sent}\n\n".encode()
                continue
            try:
                async with asyncio.timeout(_PING_INTERVAL):
                    await self._changed.wait()
            except TimeoutError:
                yield b": ping\n\n"

    def add_script(self, body: bytes, root_path: str, policies: Iterable[bytes]) -> bytes | None:
        """Return the body of a page with the script element.

        :param body: the whole body.
        :param root_path: the root path of the application.
        :param policies: the values of the fields ``content-security-policy``.
        :returns: None if a policy allows no script of the site, or no connection to it; a log line says so, once.
        """
        nonce = b""
        for policy in (part for value in policies for part in value.split(b",")):
            own = _nonce_of(policy)
            if own is None or (own and nonce and own != nonce):
                self._tell(policy)
                return None
            nonce = own or nonce
        attribute = b' nonce="%b"' % nonce if nonce else b""
        path = f"{root_path}{SCRIPT_PATH}".encode("ascii", "xmlcharrefreplace").replace(b'"', b"&quot;")
        element = b'<script src="%b" data-version="%b"%b async></script>' % (path, self.version.encode(), attribute)
        *_, end = (len(body), *(each.start() for each in _END.finditer(body)))
        return body[:end] + element + body[end:]

    def _tell(self, policy: bytes) -> None:
        text = re.sub(rb"'(?:nonce|sha\d+)-[^']*'", b"'...'", policy.strip())
        if text not in self._refused and len(self._refused) < _MAX_POLICIES:
            self._refused.add(text)
            _logger.info(
                "pages with this content-security-policy do not refresh themselves, because it allows no script of the "
                "site or no connection to it: %s",
                text.decode("latin-1"),
            )


def is_navigation(method: str, fields: Fields) -> bool:
    """Return whether a browser will show the response as a page, as far as the request tells."""
    if method not in ("GET", "POST"):
        return False
    found = dict(fields)
    if not _PARTS.isdisjoint(found):
        return False
    destination = found.get(b"sec-fetch-dest")
    return b"text/html" in found.get(b"accept", b"") if destination is None else destination in _DESTINATIONS


def is_unwanted(name: bytes) -> bool:
    """Return whether the application does not get a field of a navigation."""
    return name in _UNWANTED


def is_page(status: int, fields: Fields) -> bool:
    """Return whether a response is a page that the script may be added to."""
    found = dict(fields)
    kind = found.get(b"content-type", b"")
    return (
        kind.lower().startswith(b"text/html")
        and not _OTHER_CHARSET.search(kind)
        and status not in (204, 205, 206, 304)
        and found.get(b"content-encoding", b"identity") == b"identity"
        and not found.get(b"content-disposition", b"").lower().startswith(b"attachment")
    )


def _nonce_of(policy: bytes) -> bytes | None:
    """Return the nonce that a script needs under a policy (CSP Level 3); ``b""`` for none, None if it is forbidden."""
    directives: dict[bytes, list[bytes]] = {}
    for directive in policy.split(b";"):
        name, *sources = directive.split() or [b""]
        directives.setdefault(name.lower(), sources)
    default = directives.get(b"default-src")
    scripts = directives.get(b"script-src-elem", directives.get(b"script-src", default))
    connections = directives.get(b"connect-src", default)
    sandbox = directives.get(b"sandbox")
    if (sandbox is not None and b"allow-scripts" not in sandbox) or not _allows_own(connections):
        return None
    nonces = [each for each in scripts or () if each.lower().startswith(b"'nonce-")]
    if nonces:
        return nonces[0][len("'nonce-") : -1]
    return b"" if _allows_own(scripts) else None


def _allows_own(sources: list[bytes] | None) -> bool:
    """Return whether sources, None for all, contain the site itself."""
    if sources is None:
        return True
    words = {each.lower() for each in sources}
    return not words.isdisjoint((b"'self'", b"*")) and b"'strict-dynamic'" not in words
