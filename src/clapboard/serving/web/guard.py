"""What every request has to pass, and what every answer carries."""

import ipaddress
import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Nothing from elsewhere is loaded, nobody else's page may hold or fetch ours, and nothing is kept."""


class Guard:
    """Refuse requests for other hosts and from other pages.

    A page elsewhere can let its own name point to this machine (DNS rebinding) and then read what is served here; its
    requests still bear that name in ``Host``. A number cannot be rebound, so where others on the network are served,
    any address in numbers passes.

    Parameters
    ----------
    app : what stands behind
    hosts : names that are served, without the port
    numbers : whether any IP address passes
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, numbers: bool) -> None:
        self.app, self.hosts, self.numbers = app, frozenset(host.lower() for host in hosts), numbers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    known.setdefault(name, value)
            await send(message)

        line, status = "", 400
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._served(hosts[0]):
            line = "this address is not served; use the one that Clapboard printed"
        elif any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin")):
            line, status = "asked by a page from elsewhere", 403
        if line:
            body = json.dumps({"error": line}).encode()
            about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await sent({"type": "http.response.start", "status": status, "headers": about})
            await send({"type": "http.response.body", "body": body})
            return
        await self.app(scope, receive, sent)

    def _served(self, host: str) -> bool:
        """Whether a Host header names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:  # no host at all, or no number for a port
            return False
        if parts.netloc != host or "@" in host:
            return False
        if name.rstrip(".") in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.numbers
