"""The networks. Each is a plain ``nn.Module`` behind a name in one registry."""

from cnn_demo.models import cnn as _cnn  # noqa: F401  (registers itself)
from cnn_demo.models import resnet as _resnet  # noqa: F401
from cnn_demo.models.registry import ModelSpec, count_parameters, create_model, get_model_spec, list_models, register

__all__ = ["ModelSpec", "count_parameters", "create_model", "get_model_spec", "list_models", "register"]
