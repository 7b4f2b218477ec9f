"""The service as one writes it in ten minutes: a FastAPI handler that prepares a picture and asks PyTorch.

Its answers are the same, preparation and judge included; it has no batches, no queue and no limits. Run by
``bench_serve``: ``python -m benchmarks.plain_handler PORT``.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import Body, FastAPI

from cnn_demo.drawing.pictures import open_image
from cnn_demo.prediction.calibration import load_calibration
from cnn_demo.prediction.load import load_model
from cnn_demo.prediction.plain_data import describe_prediction
from cnn_demo.prediction.predictor import Predictor
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF

app = FastAPI()
loaded = load_model(SHIPPED_REF, Store())
predictor = Predictor(loaded, load_calibration(loaded))


@app.get("/ready")
def tell_ready() -> dict[str, str]:
    return {"state": "ready"}


@app.post("/predict")
def predict(picture: bytes = Body(media_type="image/png")) -> dict[str, Any]:
    (found,) = predictor.predict([open_image(picture)])
    return describe_prediction(found, predictor)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
