"""MONAI Label's server made fit to stand behind a reverse proxy: bounds, closed doors, plain answers."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
from collections.abc import Awaitable, Callable, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import unquote

import requests
from fastapi import BackgroundTasks, Request
from fastapi.responses import JSONResponse
from monailabel.app import app as server
from monailabel.config import settings
from monailabel.endpoints import datastore, infer, proxy, session
from monailabel.interfaces.exception import MONAILabelException
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.monailabel.checks import (
    BusyError,
    NotFoundError,
    check_name,
    check_parameters,
    check_session,
)
from monai_sr.integrations.pacs.session import TIMEOUT, PacsError
from monai_sr.integrations.web.guard import SAFE, is_own, own_names

_STATUS = {NotFoundError: 404, InputError: 422, BusyError: 503, PacsError: 502, MonaiSRError: 500}
_CLOSED = ("/infer/wsi", "/logs", "/model", "/reload", "/scoring")
"""Slides and scores, for which there is nothing; the log, weights and a new start are not for clients."""

_THREADS = 32
_Result = TypeVar("_Result")


def harden(max_upload: int, hosts: Set[str], has_pacs: bool) -> None:
    """Put the bounds in place, before the first request.

    Args:
        max_upload: bytes that a client may send in one request.
        hosts: names of the server, beside localhost and that of the machine.
        has_pacs: whether there is a PACS to pass requests of a viewer on to.
    """
    infer.run_inference = _checked_inference(_cleaned_up(infer.run_inference))
    for module, name in ((datastore, "add_image"), (datastore, "save_label"), (session, "create_session")):
        setattr(module, name, _cleaned_up(getattr(module, name)))
    # Which would wait for ever.
    proxy.requests = SimpleNamespace(
        get=partial(requests.get, timeout=TIMEOUT), post=partial(requests.post, timeout=TIMEOUT)
    )
    server.add_exception_handler(MonaiSRError, _answer)
    server.add_exception_handler(MONAILabelException, _answer)
    server.add_exception_handler(requests.RequestException, _answer)
    server.add_exception_handler(json.JSONDecodeError, _answer)
    closed = _CLOSED if has_pacs else (*_CLOSED, "/proxy")
    if not settings.MONAI_LABEL_CORS_ORIGINS:
        # Any page that a user looks at could otherwise ask this server for images.
        server.user_middleware.clear()
    guard = Middleware(Guard, max_upload=max_upload, closed=closed, hosts=own_names(*hosts))
    server.user_middleware.insert(0, guard)
    server.middleware_stack = server.build_middleware_stack()


class Guard:
    """Turn away what is too large or not for clients, and let no request wait for another's computation.

    MONAI Label computes where its server takes requests, so that nobody else is heard meanwhile. Here each
    request has a thread, and an event loop in it.

    Args:
        app: what answers.
        max_upload: bytes that a client may send in one request.
        closed: beginnings of paths that are not answered.
        hosts: names of the server.
    """

    def __init__(self, app: ASGIApp, max_upload: int, closed: tuple[str, ...], hosts: Set[str]) -> None:
        self.app = app
        self.max_upload = max_upload
        self.closed = closed
        self.hosts = hosts
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        received = 0

        async def bounded_receive() -> Message:
            nonlocal received
            message: Message = await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(_awaited(receive()), loop)
            )
            received += len(message.get("body", b""))
            if received > self.max_upload:
                raise InputError(self._too_large())
            return message

        async def there_send(message: Message) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(send(message)), loop))

        def answer() -> None:
            asyncio.run(_awaited(self.app(scope, bounded_receive, there_send)))

        await loop.run_in_executor(self.threads, contextvars.copy_context().run, answer)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        asked = Headers(scope=scope)
        host, origin = asked.get("host", ""), asked.get("origin")
        if not is_own(host, self.hosts):
            return JSONResponse({"detail": "This server does not go by that name: see --conf hosts."}, 421)
        allowed = {host, *(str(known).partition("://")[2] for known in settings.MONAI_LABEL_CORS_ORIGINS)}
        if scope["method"] not in SAFE and origin and origin.partition("://")[2] not in allowed:
            return JSONResponse({"detail": "No page of another server may ask for that."}, 403)
        path = scope["path"]
        # A proxy that unpacks a path once more would make another of it.
        while (unpacked := unquote(path)) != path:
            path = unpacked
        if ".." in path.replace("\\", "/").split("/") or path.startswith(self.closed):
            return JSONResponse({"detail": "There is nothing here for clients."}, 404)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.max_upload:
            return JSONResponse({"detail": self._too_large()}, 413)
        return None

    def _too_large(self) -> str:
        return f"This server takes {self.max_upload / 2**30:g} GiB in one request: send less."


async def _awaited(result: Awaitable[_Result]) -> _Result:
    """A coroutine of anything that can be awaited, as asyncio wants it."""
    return await result


def _answer(request: Request, error: Exception) -> JSONResponse:
    """A mistake as a sentence, with the status that says whose it is."""
    if isinstance(error, MonaiSRError):
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        return JSONResponse({"detail": str(error)}, status)
    if isinstance(error, requests.RequestException):
        return JSONResponse({"detail": "The PACS does not answer: see whether it runs, and try again."}, 502)
    if isinstance(error, json.JSONDecodeError):
        return JSONResponse({"detail": "The parameters are not JSON: correct them."}, 422)
    return JSONResponse({"detail": "What the request names is not there."}, 404)


def _cleaned_up(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint whose uploads are removed also where it fails, which MONAI Label leaves lying."""

    @wraps(endpoint)
    def cleaned(background_tasks: BackgroundTasks, *arguments: Any, **options: Any) -> Any:
        try:
            return endpoint(background_tasks, *arguments, **options)
        except BaseException:
            for task in background_tasks.tasks:
                task.func(*task.args, **task.kwargs)
            raise

    return cleaned


def _checked_inference(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """MONAI Label's inference for requests that name one image, and nothing else by their parameters."""
    signature = inspect.signature(endpoint)

    @wraps(endpoint)
    def checked(*arguments: Any, **options: Any) -> Any:
        given = signature.bind(*arguments, **options).arguments
        check_parameters(json.loads(given.get("params") or "{}"))
        # A session is what counts where a viewer also names its image.
        if session_id := given.get("session_id"):
            check_session(session_id)
        elif given.get("file") is None:
            check_name(given.get("image"))
        if given.get("label") is not None or given.get("output") == "dicom_seg":
            raise InputError("Images are made here, not labels: leave label and output=dicom_seg out.")
        return endpoint(*arguments, **options)

    return checked
