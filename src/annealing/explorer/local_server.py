"""The local page: served only on the loopback interface, and only to its own origin."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from functools import partial
from typing import Any

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import ScheduleError
from .answers import Page
from .exports import front_file, script, stylesheet

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]  # the host names by which a browser may reach it
MOST_BYTES = 24 * 2**20  # of a question; the largest ones contain a log
SECONDS = 60.0  # to receive a question and answer it
AT_ONCE = 4  # answers computed in parallel
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class OwnOrigin:
    """Refuses requests from other pages by their Origin header (the Host header is checked against DNS rebinding)."""

    def __init__(self, app: Any, origins: set[str]) -> None:
        self.app, self.origins = app, origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            found = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
            if any(origin not in self.origins for origin in found):
                await Response("only the explorer's own page may ask", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def application(page: Page, port: int) -> Starlette:
    """The page and its one question: POST /ask."""
    limiter = CapacityLimiter(AT_ONCE)
    files = {"/": ("text/html", front_file("page.html"))}
    files |= {"/front.js": ("text/javascript", script()), "/style.css": ("text/css", stylesheet())}

    async def file(request: Request) -> Response:
        kind, content = files[request.url.path]
        return Response(content, media_type=kind, headers=HEADERS)

    async def ask(request: Request) -> Response:
        # A form on another site may post text without a preflight request, but not JSON.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Response("a question must be JSON", 415)
        body = bytearray()
        try:
            async with asyncio.timeout(SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return Response(f"a question must have at most {MOST_BYTES:,} bytes", 413)
                question = json.loads(body)
                answer = partial(page.answer, question)
                told, numbers = await to_thread.run_sync(answer, limiter=limiter, abandon_on_cancel=True)
        except TimeoutError:
            told, numbers = {"error": f"stopped after {SECONDS:.0f} seconds without an answer"}, b""
        except (ValueError, RecursionError):
            return Response("a question must be JSON", 400)
        return Response(framed(told, numbers), media_type="application/octet-stream", headers=HEADERS)

    routes = [*(Route(path, file) for path in files), Route("/ask", ask, methods=["POST"])]
    origins = {f"http://{name}:{port}" for name in NAMES}
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=NAMES), Middleware(OwnOrigin, origins=origins)]
    return Starlette(routes=routes, middleware=guards)


def framed(told: dict[str, Any], numbers: bytes) -> bytes:
    """The length of the JSON, the JSON, and the numbers, aligned to a multiple of 8 as float64 must be."""
    try:
        text = json.dumps(told, allow_nan=False).encode()
    except ValueError:
        text = json.dumps({"error": "this view cannot be drawn: it has values that are not finite"}).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + numbers


def bound_socket(port: int) -> socket.socket:
    """A socket that only this machine can reach; 0 picks a free port."""
    try:
        return socket.create_server((HOST, port), backlog=64)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ScheduleError(
            f"port {port} cannot be used ({reason}): choose another with --port, or 0 for any free port"
        ) from None


def serve(page: Page, listening: socket.socket) -> None:
    """Serve the page until Ctrl-C."""
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        application(page, port),
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listening])
