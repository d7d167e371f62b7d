"""The endpoints `/vaults`: vaults of credentials for agents. Secrets are accepted, and never returned."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.agent_settings import check_beta
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    OBJECT,
    STRING,
    check,
    check_metadata,
    invalid_value,
    missing,
    not_found,
    query_metadata,
    stored,
)
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object, is_object

__all__ = [
    "create",
    "create_credential",
    "delete",
    "delete_credential",
    "list_",
    "list_credentials",
    "retrieve",
    "retrieve_credential",
    "update",
    "update_credential",
]

_PARAMS = {"metadata": OBJECT, "name": STRING}
# The parts of credentials that replies show, and those that a request must have, by type.
_SHOWN = {
    "environment_variable": ("secret_name", "networking"),
    "mcp_oauth": ("mcp_server_url", "expires_at"),
    "static_bearer": ("mcp_server_url",),
}
_DUE = {
    "environment_variable": ("secret_name", "secret_value", "networking"),
    "mcp_oauth": ("mcp_server_url", "access_token"),
    "static_bearer": ("mcp_server_url", "token"),
}


def create(call: Call) -> WholeReply:
    """POST /vaults."""
    check_beta(call)
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    vault: Object = {
        "id": call.state.new_id("vault_"),
        "object": "vault",
        "created_at": call.now(),
        "metadata": body.get("metadata") or {},
        "name": body.get("name"),
    }
    call.state.vaults.put(vault["id"], vault)
    return WholeReply.json(vault)


def retrieve(call: Call) -> WholeReply:
    """GET /vaults/{vault_id}."""
    return WholeReply.json(_vault(call))


def update(call: Call) -> WholeReply:
    """POST /vaults/{vault_id}."""
    vault = _vault(call)
    _change(vault, call.body())
    return WholeReply.json(vault)


def list_(call: Call) -> WholeReply:
    """GET /vaults: the newest first."""
    check_beta(call)
    return page(_with_metadata(call, call.state.vaults.values()), call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /vaults/{vault_id}: its credentials go too."""
    _vault(call)
    call.state.vaults.pop(call.ids[0])
    for credential in _credentials(call):
        call.state.vault_credentials.pop(credential["id"])
    return WholeReply.json({"id": call.ids[0], "object": "vault.deleted", "deleted": True})


def create_credential(call: Call) -> WholeReply:
    """POST /vaults/{vault_id}/credentials."""
    _vault(call)
    body = call.body()
    check(body, {**_PARAMS, "auth": OBJECT}, ("auth", "name"))
    check_metadata(body.get("metadata"))
    auth = _auth(body["auth"])
    for name in _DUE[auth["type"]]:
        if name not in body["auth"]:
            raise missing(f"auth.{name}")
    credential: Object = {
        "id": call.state.new_id("cred_"),
        "object": "vault.credential",
        "auth": auth,
        "created_at": call.now(),
        "updated_at": call.now(),
        "metadata": body.get("metadata") or {},
        "name": body["name"].strip(),
        "vault_id": call.ids[0],
    }
    call.state.vault_credentials.put(credential["id"], credential)
    return WholeReply.json(credential)


def retrieve_credential(call: Call) -> WholeReply:
    """GET /vaults/{vault_id}/credentials/{credential_id}."""
    return WholeReply.json(_credential(call))


def update_credential(call: Call) -> WholeReply:
    """POST /vaults/{vault_id}/credentials/{credential_id}: the type of a credential stays."""
    credential = _credential(call)
    body = call.body()
    auth = credential["auth"]
    if is_object(given := body.get("auth")):
        if given.get("type") != auth["type"]:
            raise invalid_value("auth.type", given.get("type"), (auth["type"],))
        auth = {**auth, **_auth(given)}
    _change(credential, body)
    credential.update(auth=auth, updated_at=call.now())
    return WholeReply.json(credential)


def list_credentials(call: Call) -> WholeReply:
    """GET /vaults/{vault_id}/credentials: the newest first."""
    _vault(call)
    return page(_with_metadata(call, _credentials(call)), call.request.query, order="desc")


def delete_credential(call: Call) -> WholeReply:
    """DELETE /vaults/{vault_id}/credentials/{credential_id}."""
    _credential(call)
    call.state.vault_credentials.pop(call.ids[1])
    return WholeReply.json({"id": call.ids[1], "object": "vault.credential.deleted", "deleted": True})


def _auth(given: Object) -> Object:
    """Returns the public parts of a credential."""
    kind: Any = given.get("type")
    if kind not in _SHOWN:
        raise invalid_value("auth.type", kind, tuple(_SHOWN))
    auth: Object = {"type": kind, **{name: given[name] for name in _SHOWN[kind] if name in given}}
    if is_object(refresh := given.get("refresh")):
        shown = ("client_id", "resource", "scope", "token_endpoint")
        method: Any = refresh.get("token_endpoint_auth")
        kinds = {"type": method["type"]} if is_object(method) and "type" in method else {"type": "none"}
        auth["refresh"] = {**{name: refresh[name] for name in shown if name in refresh}, "token_endpoint_auth": kinds}
    return auth


def _change(stored_object: Object, body: Object) -> None:
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    if "metadata" in body:
        stored_object["metadata"] = body["metadata"] or {}
    if body.get("name") is not None:
        stored_object["name"] = body["name"].strip()


def _with_metadata(call: Call, found: list[Object]) -> list[Object]:
    """Returns the objects that have all the metadata of the query."""
    wanted = query_metadata(call.request.query)
    return [each for each in found if wanted.items() <= each["metadata"].items()]


def _vault(call: Call) -> Object:
    check_beta(call)
    return stored(call.state.vaults, call.ids[0], "vault")


def _credential(call: Call) -> Object:
    _vault(call)
    found = stored(call.state.vault_credentials, call.ids[1], "credential")
    if found["vault_id"] != call.ids[0]:
        raise not_found(call.ids[1], "credential")
    return found


def _credentials(call: Call) -> list[Object]:
    return [each for each in call.state.vault_credentials.values() if each["vault_id"] == call.ids[0]]
