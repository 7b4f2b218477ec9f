"""The service as an ASGI application: its routes, their answers, and what OpenAPI says of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from cnn_demo import __version__
from cnn_demo.serve.gate import TICKET, Gate, make_failure, name_client
from cnn_demo.serve.limits import Refused, Ticket
from cnn_demo.serve.page import render_page
from cnn_demo.serve.reading import read_images
from cnn_demo.serve.schema import Answers, Reloaded, State, describe_body, describe_failures
from cnn_demo.serve.service import Service

log = logging.getLogger("cnn_demo.serve")

_ABOUT = (
    "Classifies pictures. Each goes the way of a drawing in CNN Lab: ink found, cropped, scaled to 20 pixels, centered "
    "by mass; the verdict says how sure the network is, and whether the picture is a digit at all."
)


def create_app(service: Service, token: str | None = None) -> FastAPI:
    """The application of a service; it closes the service when it ends.

    Args:
        service: answers.
        token: that predictions, metrics and reloads need; None for none, and then nothing can be reloaded by HTTP.
    """

    @contextlib.asynccontextmanager
    async def close_at_end(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="CNN Lab",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # its scripts would come from elsewhere; the page at / says how to call
        redoc_url=None,
        redirect_slashes=False,
        lifespan=close_at_end,
    )
    app.add_middleware(Gate, service=service, token=token)
    _add_failures(app)
    _add_state_routes(app, service, token)
    _add_predict(app, service)
    _add_reload(app, service, token)
    if token is not None:
        _describe_token(app)
    return app


def _add_failures(app: FastAPI) -> None:
    """Every failure has the same form, and none tells of the inside."""

    @app.exception_handler(Refused)
    async def refuse(request: Request, refused: Refused) -> Response:
        return make_failure(refused)

    @app.exception_handler(HTTPException)
    async def answer_no_route(request: Request, error: HTTPException) -> Response:
        failure = make_failure(Refused(error.status_code, "not_found", "there is nothing here; see /openapi.json"))
        if error.status_code == 405:
            failure = make_failure(Refused(405, "method", "another method is expected; see /openapi.json"))
        failure.headers.update(error.headers or {})
        return failure

    @app.exception_handler(RequestValidationError)
    async def answer_bad_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        return make_failure(Refused(422, "bad_parameter", f"{place}: {first['msg']}"[:200]))

    @app.exception_handler(ClientDisconnect)
    async def answer_nobody(request: Request, error: ClientDisconnect) -> Response:
        return make_failure(Refused(400, "gone", "the client went away"))

    @app.exception_handler(Exception)
    async def answer_defect(request: Request, error: Exception) -> Response:
        return make_failure(Refused(500, "failed", "the service failed to answer this; its log says why"))


def _add_state_routes(app: FastAPI, service: Service, token: str | None) -> None:
    @app.get("/health", response_model=State, response_model_exclude_none=True, summary="Whether the process lives")
    async def tell_health() -> JSONResponse:
        return JSONResponse({"state": "alive"})

    @app.get(
        "/ready", summary="Whether it answers predictions", responses={200: {"model": State}, 503: {"model": State}}
    )
    async def tell_ready() -> JSONResponse:
        found: dict[str, Any] = {"state": service.state}
        if service.network is not None:
            loaded = service.network.predictor.loaded
            found |= {"network": loaded.key, "step": loaded.step}
        ready = service.state == "ready"
        return JSONResponse(found, 200 if ready else 503, headers={} if ready else {"Retry-After": "2"})

    @app.get("/metrics", summary="Counters for Prometheus", response_class=Response, responses=describe_failures(401))
    async def tell_metrics() -> Response:
        return Response(service.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.get("/", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(render_page(service, token=token is not None))


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        summary="Classify up to 64 images",
        responses={
            200: {"model": Answers, "description": "at least one image was answered"},
            **describe_failures(400, 401, 408, 413, 415, 429, 503, 504),
            422: {"model": Answers | describe_failures(422)[422]["model"], "description": "no image was answered"},
        },
        openapi_extra=describe_body(),
    )
    async def predict(
        request: Request, stages: bool = Query(False, description="also give every stage of the preparation")
    ) -> JSONResponse:
        ticket: Ticket = request.scope[TICKET]
        reading = True

        async def read_and_answer() -> dict[str, Any]:
            nonlocal reading
            images = await read_images(request, service.limits)
            reading = False
            ticket.count_images(len(images))
            service.limiter.charge(name_client(request.scope), len(images) - 1)
            return await service.answer(images, stages=stages)

        try:
            found = await asyncio.wait_for(read_and_answer(), service.limits.deadline)
        except (asyncio.TimeoutError, TimeoutError):
            if reading:
                raise Refused(408, "slow_body", "the body did not arrive in time") from None
            raise Refused(504, "deadline", "no answer within the deadline", retry_after=1) from None
        return JSONResponse(found, 200 if any("error" not in row for row in found["predictions"]) else 422)


def _add_reload(app: FastAPI, service: Service, token: str | None) -> None:
    @app.post(
        "/reload",
        summary="Change to the newest checkpoint of the reference; needs a token",
        responses={200: {"model": Reloaded}, **describe_failures(401, 403, 409)},
    )
    async def reload() -> JSONResponse:
        if token is None:
            raise Refused(403, "no_token_set", "start the service with a token to reload by HTTP")
        if service.reloading:
            raise Refused(409, "reloading", "a reload is going on", retry_after=5)
        try:
            changed = await service.reload()
        except Exception as error:
            log.warning("the network cannot be reloaded: %s", error)
            raise Refused(
                409, "not_reloaded", "the network cannot be loaded; the one before goes on answering"
            ) from None
        assert service.network is not None
        loaded = service.network.predictor.loaded
        return JSONResponse({"changed": changed, "network": loaded.key, "step": loaded.step})


def _describe_token(app: FastAPI) -> None:
    """Tell of the token in OpenAPI."""
    schema = app.openapi()
    schema["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path in ("/predict", "/reload", "/metrics"):
        for operation in schema["paths"][path].values():
            operation["security"] = [{"bearer": []}]
