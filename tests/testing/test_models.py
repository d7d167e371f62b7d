from __future__ import annotations

from .http import Api

TUNED = "ft:gpt-4o-mini-2024-07-18:local::test"


async def test_list_and_retrieve(api: Api) -> None:
    listed = await api.ok("GET", "/models")
    assert listed["object"] == "list"
    for name in ("gpt-4o-mini", "text-embedding-3-small", "omni-moderation-latest", TUNED):
        model = await api.ok("GET", f"/models/{name}")
        assert (model["id"], model["object"]) == (name, "model")
        assert model in listed["data"]
    assert (await api.fails(404, "GET", "/models/none"))["code"] == "model_not_found"


async def test_delete(api: Api) -> None:
    assert await api.ok("DELETE", f"/models/{TUNED}") == {"id": TUNED, "object": "model", "deleted": True}
    await api.fails(404, "GET", f"/models/{TUNED}")
    await api.fails(404, "DELETE", f"/models/{TUNED}")
    assert (await api.fails(403, "DELETE", "/models/gpt-4o"))["code"] == "permission_denied"
