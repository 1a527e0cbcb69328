"""What the page asks of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monai_sr import __version__
from monai_sr.errors import InputError, MonaiSRError
from monai_sr.integrations.web.guard import REPORT_HEADERS, Guard
from monai_sr.integrations.web.jobs import KEPT, KEPT_AFTER_DOWNLOAD, Desk, Job
from monai_sr.integrations.web.refusals import GoneError, OutOfTurnError, TooLargeError, status_of
from monai_sr.integrations.web.settings import MAX_FILES, Settings
from monai_sr.integrations.web.work import Made
from monai_sr.io.temporary import temporary_folder

STATIC = Path(__file__).parent / "static"
_MAX_JSON = 2**16
_LINGER = 2**24


def make_application(settings: Settings, host: str) -> Starlette:
    """The server's answers.

    Args:
        settings: what is offered.
        host: name that the server listens on.

    Returns:
        The ASGI application.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with temporary_folder() as root:
            app.state.desk = desk = Desk(settings, root)
            tasks = [asyncio.create_task(desk.sweep()), asyncio.create_task(desk.warm())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await desk.close()

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/settings", _settings),
            Route("/jobs", _open, methods=["POST"]),
            Route("/jobs/{token}", _status),
            Route("/jobs/{token}", _remove, methods=["DELETE"]),
            Route("/jobs/{token}/files/{number:int}", _receive, methods=["PUT"]),
            Route("/jobs/{token}/look", _look, methods=["POST"]),
            Route("/jobs/{token}/start", _start, methods=["POST"]),
            Route("/jobs/{token}/reports/{number:int}", _report),
            Route("/jobs/{token}/result", _result),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={MonaiSRError: _refuse, HTTPException: _not_there, ClientDisconnect: _nobody},
        lifespan=lifespan,
    )


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "page.html")


async def _settings(request: Request) -> Response:
    settings = _desk(request).settings
    return JSONResponse(
        {
            "version": __version__,
            "bundles": [offer.shown() for offer in settings.offers],
            "max_upload": settings.max_upload,
            "max_files": MAX_FILES,
            "kept_minutes": KEPT // 60,
            "kept_after_download_minutes": KEPT_AFTER_DOWNLOAD // 60,
        }
    )


async def _open(request: Request) -> Response:
    files = (await _json(request)).get("files")
    job = await _desk(request).open(files if isinstance(files, int) else 0)
    return JSONResponse({"token": job.token}, 201)


async def _receive(request: Request) -> Response:
    asked = request.query_params
    folder = asked.get("folder", "0")
    try:
        await _desk(request).receive(
            _job(request),
            request.path_params["number"],
            int(folder) if folder.isdecimal() and folder.isascii() else -1,
            asked.get("type", ""),
            request.stream(),
        )
    except MonaiSRError:
        await _discard(request)
        raise
    return Response(status_code=204)


async def _discard(request: Request) -> None:
    """Read some of what is still sent: most clients see the answer only when they have sent all."""
    left = _LINGER
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            break


async def _look(request: Request) -> Response:
    async def is_watched() -> bool:
        return not await request.is_disconnected()

    job = _job(request)
    await _desk(request).look(job, is_watched)
    return JSONResponse(_shown(request, job))


async def _start(request: Request) -> Response:
    desk, job = _desk(request), _job(request)
    desk.start(job, desk.settings.choose(await _json(request)))
    return JSONResponse(_shown(request, job), 202)


async def _status(request: Request) -> Response:
    return JSONResponse(_shown(request, _job(request)))


async def _remove(request: Request) -> Response:
    await _desk(request).remove(_job(request))
    return Response(status_code=204)


async def _report(request: Request) -> Response:
    reports, number = _made(_job(request)).reports, request.path_params["number"]
    if number >= len(reports):
        raise GoneError
    return FileResponse(reports[number], media_type="text/html", headers=REPORT_HEADERS)


async def _result(request: Request) -> Response:
    job = _job(request)
    path = _made(job).download
    suffix = path.name[path.name.index(".") :]
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=f"super-resolved{suffix}",
        background=BackgroundTask(job.keep, KEPT_AFTER_DOWNLOAD),
    )


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _job(request: Request) -> Job:
    return _desk(request).find(request.path_params["token"])


def _made(job: Job) -> Made:
    if job.made is None:
        raise OutOfTurnError("This image is not done yet; wait for it")
    return job.made


def _shown(request: Request, job: Job) -> dict[str, Any]:
    """What the page may know of a job."""
    shown: dict[str, Any] = {
        "state": job.state,
        "found": [vars(found) for found in job.found],
        "frames": job.frames,
    }
    if job.choice is not None:
        shown["choice"] = job.choice.shown()
    if job.state == "waiting":
        shown["before"] = _desk(request).before(job)
    elif job.state == "working":
        shown |= {"doing": job.doing, "done": job.done}
    elif job.state == "failed":
        shown["message"] = _sentence(job.message)
    elif job.made is not None:
        shown |= {
            "reports": len(job.made.reports),
            "notes": [_sentence(note) for note in job.made.notes],
            "type": job.made.download.name.partition(".")[2],
            "bytes": job.made.download.stat().st_size,
        }
    return shown


async def _json(request: Request) -> dict[str, Any]:
    """The JSON object of a request."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_JSON:
            raise TooLargeError("This is more than was asked for")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError("This is not what was asked for: send a JSON object")
    return content


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."


def _refuse(request: Request, error: Exception) -> Response:
    status = status_of(error) if isinstance(error, MonaiSRError) else 500
    return JSONResponse({"message": _sentence(str(error))}, status)


def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"message": "There is nothing at this address."}, status)


def _nobody(request: Request, error: Exception) -> Response:
    """The answer to a client that went away while it was sending."""
    return Response(status_code=400)
