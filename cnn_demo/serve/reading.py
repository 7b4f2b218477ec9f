"""From the body of a request to image files: raw, multipart or JSON, never more than is allowed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from cnn_demo.serve.limits import Limits, Refused
from cnn_demo.serve.service import BadImage

RAW_TYPES = ("image/png", "image/jpeg", "application/octet-stream")
_FIELD_BYTES = 4096  # of a text field in a form, and of a part that is no file: neither is used


class ImagesInJson(BaseModel):
    """Images as text: each the base64 of a PNG or JPEG file, or a data URL of one."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"images": ["iVBORw0KGgo…"]}]},
    )

    images: list[str] = Field(min_length=1, description="base64 of PNG or JPEG files, or data URLs")


class _InMemoryParser(MultiPartParser):
    """The body is in memory already, so its parts are never written to a disk."""

    spool_max_size = 1 << 40


def read_length(headers: Headers, most: int) -> int:
    """The length that a request declares; the most that it may have where it declares none.

    Raises:
        Refused: it is too long.
    """
    text = headers.get("content-length", "")
    if not text.isdecimal():
        return most
    if len(text) > 18 or int(text) > most:
        raise _refuse_length(most)
    return int(text)


async def read_images(request: Request, limits: Limits) -> list[bytes | BadImage]:
    """The images of a request, at most ``limits.max_images``, in their order.

    Raises:
        Refused: the body is too long, of an unknown type, malformed, or holds no image or too many.
        ClientDisconnect: the client went away.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (*RAW_TYPES, "application/json", "multipart/form-data"):
        expected = ", ".join((*RAW_TYPES, "multipart/form-data", "application/json"))
        raise Refused(415, "unknown_type", f"the content type is not one of {expected}")
    body = await _read_body(request, limits.max_body_bytes)
    images: list[bytes | BadImage] = [body]
    if kind == "application/json":
        images = _read_json(body, limits)
    elif kind == "multipart/form-data":
        images = await _read_form(request.headers, body, limits)
    if len(images) > limits.max_images:
        raise _refuse_count(limits)
    return images


async def _read_body(request: Request, most: int) -> bytes:
    read_length(request.headers, most)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _refuse_length(most)
        parts.append(part)
    return b"".join(parts)


def _read_json(body: bytes, limits: Limits) -> list[bytes | BadImage]:
    try:
        texts = ImagesInJson.model_validate_json(body).images
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"][:4])[:80]
        raise Refused(422, "bad_json", f"{place + ': ' if place else ''}{first['msg'][:200]}") from None
    if len(texts) > limits.max_images:
        raise _refuse_count(limits)
    return [_decode_base64(text) for text in texts]


def _decode_base64(text: str) -> bytes | BadImage:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return BadImage("bad_base64", "this is not base64")


async def _read_form(headers: Headers, body: bytes, limits: Limits) -> list[bytes | BadImage]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _InMemoryParser(
        headers, stream(), max_files=limits.max_images, max_fields=limits.max_images, max_part_size=_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise _refuse_count(limits) from None
        raise Refused(400, "bad_form", error.message[:200]) from None
    except (KeyError, ValueError, LookupError):  # a boundary or a character set that is none
        raise Refused(400, "bad_form", "the form cannot be read") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise Refused(422, "no_image", "the form holds no file; send each image as a file in a field of any name")
    return [await file.read() for file in files]


def _refuse_length(most: int) -> Refused:
    return Refused(413, "too_long", f"the body is too long: at most {most:,} bytes are accepted")


def _refuse_count(limits: Limits) -> Refused:
    return Refused(413, "too_many_images", f"at most {limits.max_images} images are accepted in one request")
