"""The endpoints `/models`."""

from __future__ import annotations

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import unknown_model
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.state import EPOCH

__all__ = ["delete", "list_", "retrieve"]


def list_(call: Call) -> WholeReply:
    """GET /models."""
    return WholeReply.json({"object": "list", "data": [_model(name) for name in call.state.models]})


def retrieve(call: Call) -> WholeReply:
    """GET /models/{model}: only models of the list."""
    return WholeReply.json(_model(_listed(call)))


def delete(call: Call) -> WholeReply:
    """DELETE /models/{model}: only fine-tuned models (`ft:...`)."""
    name = _listed(call)
    if not name.startswith("ft:"):
        message = f"You have insufficient permissions for this operation: the model '{name}' is not yours."
        raise ApiError(403, message, param="model", code="permission_denied")
    del call.state.models[name]
    return WholeReply.json({"id": name, "object": "model", "deleted": True})


def _listed(call: Call) -> str:
    name = call.ids[0]
    if name not in call.state.models:
        raise unknown_model(name)
    return name


def _model(name: str) -> Object:
    owner = "local-test" if name.startswith("ft:") else "system"
    return {"id": name, "object": "model", "created": EPOCH, "owned_by": owner}
