"""The local page: served on the loopback interface alone, to pages of its own origin alone."""

from __future__ import annotations

import asyncio
import json
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
from .static_page import front_file, script, stylesheet

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]  # what a browser may have called this machine
MOST_BYTES = 24 * 2**20  # of a question; a log is the largest
SECONDS = 60.0  # for the arrival of a question, and for its answer
AT_ONCE = 4  # answers computed at a time
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class OwnOrigin:
    """Refuses what another page asks: DNS rebinding is caught by the Host header, a foreign page by its Origin."""

    def __init__(self, app: Any, origins: set[str]) -> None:
        self.app, self.origins = app, origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            found = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
            if any(origin not in self.origins for origin in found):
                await Response("this page answers to itself alone", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def application(page: Page, port: int) -> Starlette:
    """The page and its one question: POST /ask."""
    limiter = CapacityLimiter(AT_ONCE)

    def text(kind: str, make: Any) -> Any:
        async def served(_request: Request) -> Response:
            return Response(make(), media_type=kind, headers=HEADERS)

        return served

    async def ask(request: Request) -> Response:
        # A form of another site may post text without asking first, but no JSON.
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
            told, numbers = {"error": f"this took longer than {SECONDS:.0f} seconds, and was given up"}, b""
        except (ValueError, RecursionError):
            return Response("a question must be JSON", 400)
        return Response(framed(told, numbers), media_type="application/octet-stream", headers=HEADERS)

    routes = [
        Route("/", text("text/html", partial(front_file, "page.html"))),
        Route("/front.js", text("text/javascript", script)),
        Route("/style.css", text("text/css", stylesheet)),
        Route("/ask", ask, methods=["POST"]),
    ]
    origins = {f"http://{name}:{port}" for name in NAMES}
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=NAMES), Middleware(OwnOrigin, origins=origins)]
    return Starlette(routes=routes, middleware=guards)


def framed(told: dict[str, Any], numbers: bytes) -> bytes:
    """The length of the JSON, the JSON, and the numbers, which begin at a multiple of 8 as float64 must."""
    try:
        text = json.dumps(told, allow_nan=False).encode()
    except ValueError:
        text = json.dumps({"error": "this view has values that are not finite, which cannot be drawn"}).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + numbers


def bound_socket(port: int) -> socket.socket:
    """A socket of this machine alone; 0 takes any free port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Else a page that was just ended would hold its port for a minute.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise ScheduleError(
            f"port {port} cannot be used ({error.strerror}): give another by --port, or 0 for any"
        ) from None
    return found


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
