"""What OpenAPI tells of requests and answers, with examples. The answers are not validated by it: a test does that."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel, Field

from cnn_demo.prediction.calibration import Kind
from cnn_demo.serve.reading import RAW_TYPES, ImagesInJson

# A black pad of 28 × 28 pixels with an upright stroke: a "1" that can be sent as it stands.
EXAMPLE_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAG0lEQVR42mNgGGAQ9f9/FDKfCZ/iUclRyYEDAGy0AtkM9C9dAAAAAElFTkSuQmCC"
)


class Problem(BaseModel):
    """What is wrong."""

    kind: str = Field(description="one word for programs", examples=["broken"])
    message: str = Field(description="for people", examples=["the upload is damaged"])


class Failure(BaseModel):
    """A request that was not answered."""

    error: Problem


class StageOfPreparation(BaseModel):
    """One picture between the drawing and the network, and what the network would answer there."""

    name: str = Field(examples=["centered"])
    title: str = Field(examples=["As MNIST was made: center of mass in the middle"])
    label: str | None
    probability: float | None
    png: str = Field(description="base64 of a PNG file")


class Answer(BaseModel):
    """The answer to one image."""

    index: int = Field(description="place of the image in the request, from 0")
    label: str | None = Field(description="the most probable class; null where nothing is drawn", examples=["7"])
    verdict: Kind | None = Field(description="null where the network is not calibrated", examples=["sure"])
    runner_up: str | None = Field(examples=["1"])
    entropy_bits: float
    probabilities: list[float] = Field(description="one for each class; they sum to 1")
    warnings: list[str] = Field(examples=[["inverted"]])
    stages: list[StageOfPreparation] | None = None


class ImageFailure(BaseModel):
    """An image that could not be answered; the others are."""

    index: int
    error: Problem


class Answers(BaseModel):
    """The answers to a request, in the order of its images."""

    network: str = Field(examples=["shipped"])
    step: int = Field(description="optimizer steps behind the weights")
    classes: list[str]
    calibrated: bool
    n: int = Field(description="number of images")
    predictions: list[Answer | ImageFailure]


class State(BaseModel):
    """Whether the service answers."""

    state: str = Field(examples=["ready"])
    network: str | None = None
    step: int | None = None


class Reloaded(BaseModel):
    """What a reload did."""

    changed: bool
    network: str
    step: int


def describe_body() -> dict[str, Any]:
    """The body of a prediction, for OpenAPI: raw, a form or JSON."""
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    content: dict[str, Any] = {kind: {"schema": file} for kind in RAW_TYPES}
    content["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "properties": {"images": {"type": "array", "items": file, "minItems": 1, "maxItems": 64}},
            "required": ["images"],
        }
    }
    content["application/json"] = {
        "schema": ImagesInJson.model_json_schema(),
        "examples": {"one image": {"value": {"images": [EXAMPLE_PNG]}}},
    }
    return {"requestBody": {"required": True, "content": content}}


def describe_failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of a route, for OpenAPI."""
    words = {
        400: "the form cannot be read",
        401: "the token is missing or wrong",
        403: "the service has no token, so this is not allowed",
        408: "the body did not arrive in time",
        409: "a reload is going on, or the new network cannot be loaded",
        413: "too many bytes or images",
        415: "an unknown content type",
        422: "not what was expected, or no image of the request could be answered",
        429: "this client sends too much; see Retry-After",
        503: "busy, loading or stopping; see Retry-After",
        504: "no answer within the deadline",
    }
    return {status: {"model": Failure, "description": words[status]} for status in statuses}


def decode_example() -> bytes:
    """The image of the examples as a PNG file."""
    return base64.b64decode(EXAMPLE_PNG)
