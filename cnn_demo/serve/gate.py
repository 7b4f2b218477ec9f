"""The gate before the routes: token, rate, size and queue are looked at before a byte of a body is read."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import math
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnn_demo.serve.limits import Refused, Ticket
from cnn_demo.serve.reading import read_length
from cnn_demo.serve.service import Service

TICKET = "cnn_demo.ticket"
PATHS = ("/predict", "/reload", "/health", "/ready", "/metrics", "/openapi.json", "/")
_WITH_TOKEN = ("/predict", "/reload", "/metrics")
_SHORT_BYTES, _SHORT_SECONDS = 65536, 0.5
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'",
}


def make_failure(refused: Refused) -> Response:
    """The answer to a request that is not taken."""
    body = json.dumps({"error": {"kind": refused.kind, "message": str(refused)}}, ensure_ascii=False)
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body.encode("utf-8", "replace"), refused.status, headers, "application/json")


class Gate:
    """ASGI middleware that refuses, counts and measures.

    Args:
        app: what lies behind it.
        service: whose limits hold.
        token: that predictions, metrics and reloads need; None for none.
    """

    def __init__(self, app: ASGIApp, service: Service, token: str | None = None) -> None:
        self._app, self._service, self._token = app, service, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        path = scope["path"] if scope["path"] in PATHS else "other"
        status = 500

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            ticket = self._let_in(scope, path)
        except Refused as refused:
            self._service.metrics.refused.labels(refused.kind).inc()
            await _refuse(refused, scope, receive, send_marked)
        else:
            scope[TICKET] = ticket
            try:
                await self._app(scope, receive, send_marked)
            finally:
                if ticket is not None:
                    ticket.leave()
        metrics = self._service.metrics
        metrics.requests.labels(path, str(status)).inc()
        metrics.seconds.labels(path).observe(time.perf_counter() - began)

    def _let_in(self, scope: Scope, path: str) -> Ticket | None:
        headers = Headers(scope=scope)
        if self._token is not None and path in _WITH_TOKEN and not self._holds_token(headers):
            raise Refused(401, "no_token", "send the token of this service as: Authorization: Bearer TOKEN")
        if path != "/predict" or scope["method"] != "POST":
            return None
        service = self._service
        if service.network is None:
            raise Refused(503, "loading", "the network is being loaded; try again later", retry_after=2)
        wait = service.limiter.measure_wait(name_client(scope))
        if wait > 0:
            raise Refused(429, "too_fast", "this client sends too many images", retry_after=math.ceil(wait))
        ticket = service.admission.enter(read_length(headers, service.limits.max_body_bytes))
        service.limiter.charge(name_client(scope))
        return ticket

    def _holds_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected)


async def _refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without looking at the body.

    A connection can be kept only once its body is read. A short one is there already, so it is read and forgotten;
    before a long one the connection is closed.
    """
    failure = make_failure(refused)
    length = Headers(scope=scope).get("content-length", "0" if scope["method"] == "GET" else "")
    if length.isdecimal() and len(length) < 9 and int(length) <= _SHORT_BYTES:
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(_forget_body(receive), _SHORT_SECONDS)
    else:
        failure.headers["Connection"] = "close"
    await failure(scope, receive, send)


async def _forget_body(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


def name_client(scope: Scope) -> str:
    """Whose rate a request counts for: the address that it comes from."""
    return str(scope["client"][0]) if scope.get("client") else "?"
