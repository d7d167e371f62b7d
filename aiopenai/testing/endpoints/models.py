"""`/models`."""

from __future__ import annotations

from aiopenai.testing.engine.exchange import ApiError, Call, Object, Reply
from aiopenai.testing.engine.params import check_model
from aiopenai.testing.memory.state import EPOCH

__all__ = ["delete", "list_", "retrieve"]


def list_(call: Call) -> Reply:
    """GET /models."""
    return Reply.json({"object": "list", "data": [_model(name) for name in call.state.models]})


def retrieve(call: Call) -> Reply:
    """GET /models/{model}."""
    check_model(call.ids[0], call.state.models)
    return Reply.json(_model(call.ids[0]))


def delete(call: Call) -> Reply:
    """DELETE /models/{model}: only fine-tuned models (`ft:...`) may go."""
    name = call.ids[0]
    check_model(name, call.state.models)
    if not name.startswith("ft:"):
        message = f"You have insufficient permissions for this operation: the model '{name}' is not yours."
        raise ApiError(403, message, param="model", code="permission_denied")
    del call.state.models[name]
    return Reply.json({"id": name, "object": "model", "deleted": True})


def _model(name: str) -> Object:
    owner = "local-test" if name.startswith("ft:") else "system"
    return {"id": name, "object": "model", "created": EPOCH, "owned_by": owner}
