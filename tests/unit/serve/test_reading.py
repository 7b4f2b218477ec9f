"""Bodies of all kinds, most of them bad. The application is the one that runs; the network is PyTorch's."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from cnn_demo.serve.limits import Limits
from cnn_demo.serve.schema import EXAMPLE_PNG, decode_example
from cnn_demo.serve.service import Service
from tests.unit.serve.served import digit_png, holding, load, make_client, run_coroutine, serve_network

PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service() -> Service:
    limits = Limits(max_body_bytes=2_000_000, rate=0)
    return run_coroutine(load(Service(holding(serve_network()), limits=limits)))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with make_client(service) as made:
        yield made


def kind(response: Response) -> str:
    return str(response.json()["error"]["kind"])


def labels(response: Response) -> list[str | None]:
    assert response.status_code == 200, response.text
    return [row.get("label") for row in response.json()["predictions"]]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def made_png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def test_raw_form_and_json_give_the_same(client: TestClient) -> None:
    png = digit_png()
    text = base64.b64encode(png).decode()
    answers = [
        client.post("/predict", content=png, headers=PNG),
        client.post("/predict", content=png, headers={"Content-Type": "application/octet-stream"}),
        client.post("/predict", content=png, headers={"Content-Type": "IMAGE/PNG; q=1"}),
        client.post("/predict", files={"any": ("a.png", png)}),
        client.post("/predict", json={"images": [text]}),
        client.post("/predict", json={"images": [f"data:image/png;base64,{text}"]}),
    ]
    assert [labels(answer) for answer in answers] == [["7"]] * 6
    assert [row.json()["predictions"][0]["verdict"] for row in answers] == ["sure"] * 6


def test_the_example_of_the_description_works(client: TestClient) -> None:
    found = client.post("/predict", json={"images": [EXAMPLE_PNG]})
    assert labels(found) == ["1"]
    assert found.json() == client.post("/predict", content=decode_example(), headers=PNG).json()


def test_bad_images_are_named_at_their_place_and_the_others_are_answered(client: TestClient) -> None:
    png = digit_png()
    files = [png, b"", b"not a picture", png[: len(png) // 2], png]
    found = client.post("/predict", files=[("images", (f"{n}", data)) for n, data in enumerate(files)])
    assert labels(found) == ["7", None, None, None, "7"]
    rows = found.json()["predictions"]
    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["error"]["kind"] for row in rows[1:4]] == ["not_a_picture", "not_a_picture", "broken"]
    texts = [base64.b64encode(png).decode(), "%%%", "ä", ""]
    rows = client.post("/predict", json={"images": texts}).json()["predictions"]
    assert [row.get("error", {}).get("kind") for row in rows] == [None, "bad_base64", "bad_base64", "not_a_picture"]


BOMB = made_png(40_000, 40_000, bytes(1_000_000))  # would be 1.6 GB
LONG_TEXT = made_png(28, 28, bytes(28 * 29), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n", "not_a_picture"),
        (BOMB, "too_many_pixels"),
        (made_png(2**31 - 1, 2**31 - 1), "too_many_pixels"),
        (made_png(0, 5), None),
        (LONG_TEXT, None),
        (digit_png()[:200], "broken"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"\xff\xd8\xff\xe0" + bytes(500), None),
    ],
    ids=["empty", "signature", "bomb", "huge", "no-pixels", "text-bomb", "cut", "gif", "svg", "jpeg"],
)
def test_pictures_of_no_use(client: TestClient, data: bytes, expected: str | None) -> None:
    found = client.post("/predict", content=data, headers=PNG)
    assert found.status_code in (200, 422)
    (row,) = found.json()["predictions"]
    assert found.status_code == 200 or row["error"]["kind"] == (expected or row["error"]["kind"])
    assert row.get("error", {}).get("kind") != "failed"
    assert "0x" not in found.text
    assert "site-packages" not in found.text


def test_64_images_are_answered_and_65_are_not(client: TestClient) -> None:
    png = digit_png()
    text = base64.b64encode(png).decode()
    assert labels(client.post("/predict", json={"images": [text] * 64})) == ["7"] * 64
    assert labels(client.post("/predict", files=[("a", ("a", png))] * 64)) == ["7"] * 64
    for found in (
        client.post("/predict", json={"images": [text] * 65}),
        client.post("/predict", files=[("a", ("a", png))] * 65),
    ):
        assert (found.status_code, kind(found)) == (413, "too_many_images")


def test_bodies_that_are_too_long(client: TestClient, service: Service) -> None:
    long = bytes(service.limits.max_body_bytes + 1)
    found = client.post("/predict", content=long, headers=PNG)
    assert (found.status_code, kind(found)) == (413, "too_long")

    def parts() -> Iterator[bytes]:  # no length is declared
        for _ in range(30):
            yield bytes(100_000)

    found = client.post("/predict", content=parts(), headers=PNG)
    assert (found.status_code, kind(found)) == (413, "too_long")
    for declared in ("9" * 12, "9" * 400):
        found = client.post("/predict", content=b"x", headers={**PNG, "Content-Length": declared})
        assert (found.status_code, kind(found)) == (413, "too_long")


@pytest.mark.parametrize("header", ["text/plain", "image/webp", "", "application/json2", "image/png2; x", ";;;"])
def test_unknown_content_types(client: TestClient, header: str) -> None:
    found = client.post("/predict", content=digit_png(), headers={"Content-Type": header})
    assert (found.status_code, kind(found)) == (415, "unknown_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"NaN",
        b'{"images": NaN}',
        b'{"images": [NaN, Infinity]}',
        b'{"images": []}',
        b'{"images": [1]}',
        b'{"images": "abc"}',
        b'{"images": [["a"]]}',
        b'{"images": ["a"], "more": 1}',
        b'{"images": ["\\ud800"]}',
        b'{"images": ["\xff"]}',
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"images":' * 50_000,
        b'{"images": [' + b"9" * 100_000 + b"]}",
    ],
)
def test_json_of_no_use(client: TestClient, body: bytes) -> None:
    found = client.post("/predict", content=body, headers=JSON)
    assert (found.status_code, kind(found)) == (422, "bad_json")
    assert len(found.content) < 600


def form(body: bytes, boundary: str = "X") -> dict[str, Any]:
    return {"content": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


@pytest.mark.parametrize(
    "call",
    [
        form(b""),
        form(b"nothing"),
        form(b"--X\r\n\r\n\r\n--X--"),
        form(b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"y" * 50_000 + b"\r\n--X--"),
        form(b'--X\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nhalf a fi'),
        form(b"--X\r\n" + b"A: b\r\n" * 5000),
        form(b"x", boundary='""'),
        form(b"x", boundary="b" * 5000),
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=X; charset=nonsense"}},
        {"data": {"images": "text"}, "files": {}},
    ],
)
def test_forms_of_no_use(client: TestClient, call: dict[str, Any]) -> None:
    found = client.post("/predict", **call)
    assert found.status_code in (400, 415, 422), found.text
    assert "error" in found.json() or "error" in found.json()["predictions"][0]


def test_names_of_files_are_not_paths(client: TestClient) -> None:
    found = client.post("/predict", files={"a": ("../../etc/passwd", b"x")})
    assert "passwd" not in found.text
    assert json.loads(found.text)["predictions"][0]["error"]["kind"] == "not_a_picture"
