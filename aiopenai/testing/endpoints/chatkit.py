"""The endpoints `/chatkit`: sessions, and the threads of their users.

In the API the browser of a user begins threads. Here each session begins one, with a question and the answer to it.
"""

from __future__ import annotations

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import INTEGER, OBJECT, STRING, check, stored
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, section
from aiopenai.testing.memory.stored import StoredChatKitThread

__all__ = [
    "cancel_session",
    "create_session",
    "delete_thread",
    "list_items",
    "list_threads",
    "retrieve_thread",
]

_PARAMS = {
    "chatkit_configuration": OBJECT,
    "expires_after": OBJECT,
    "rate_limits": OBJECT,
    "user": STRING,
    "workflow": OBJECT,
}
_PARTS = {
    "expires_after": {"anchor": STRING.one_of("created_at"), "seconds": INTEGER.within(1, 600)},
    "rate_limits": {"max_requests_per_1_minute": INTEGER.within(1)},
    "workflow": {"id": STRING, "state_variables": OBJECT, "tracing": OBJECT, "version": STRING},
}
_LIFETIME = 600
_REQUESTS = 10
_QUESTION = "Hello"


def create_session(call: Call) -> WholeReply:
    """POST /chatkit/sessions."""
    body = call.body()
    check(body, _PARAMS, ("user", "workflow"))
    for name, params in _PARTS.items():
        check(section(body, name), params, ("id",) if name == "workflow" else (), where=f"{name}.")
    workflow: Object = body["workflow"]
    limit = section(body, "rate_limits").get("max_requests_per_1_minute") or _REQUESTS
    identity = call.state.new_id("cksess_")
    session: Object = {
        "id": identity,
        "object": "chatkit.session",
        "chatkit_configuration": _configuration(section(body, "chatkit_configuration")),
        "client_secret": call.state.new_id("ek_local_"),
        "expires_at": call.now() + (section(body, "expires_after").get("seconds") or _LIFETIME),
        "max_requests_per_1_minute": limit,
        "rate_limits": {"max_requests_per_1_minute": limit},
        "status": "active",
        "user": body["user"],
        "workflow": {
            "id": workflow["id"],
            "state_variables": workflow.get("state_variables"),
            "tracing": {"enabled": True, **section(workflow, "tracing")},
            "version": workflow.get("version"),
        },
    }
    call.state.chatkit_sessions.put(identity, session)
    _begin_thread(call, body["user"])
    return WholeReply.json(session)


def cancel_session(call: Call) -> WholeReply:
    """POST /chatkit/sessions/{session_id}/cancel: cancelling twice is an error."""
    session = stored(call.state.chatkit_sessions, call.ids[0], "ChatKit session")
    if session["status"] != "active":
        message = f"Cannot cancel a session that is not active: its status is '{session['status']}'."
        raise ApiError(400, message, param="session_id", code="invalid_status")
    session["status"] = "cancelled"
    return WholeReply.json(session)


def retrieve_thread(call: Call) -> WholeReply:
    """GET /chatkit/threads/{thread_id}."""
    return WholeReply.json(_thread(call).thread)


def list_threads(call: Call) -> WholeReply:
    """GET /chatkit/threads: the newest first, by user."""
    user = call.request.query.get("user")
    threads = [kept.thread for kept in call.state.chatkit_threads.values()]
    return page([each for each in threads if user in (None, each["user"])], call.request.query, order="desc")


def delete_thread(call: Call) -> WholeReply:
    """DELETE /chatkit/threads/{thread_id}."""
    _thread(call)
    call.state.chatkit_threads.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "chatkit.thread.deleted", "deleted": True})


def list_items(call: Call) -> WholeReply:
    """GET /chatkit/threads/{thread_id}/items: the newest first."""
    return page(_thread(call).items, call.request.query, order="desc")


def _thread(call: Call) -> StoredChatKitThread:
    return stored(call.state.chatkit_threads, call.ids[0], "ChatKit thread")


def _configuration(given: Object) -> Object:
    upload: Object = {"enabled": False, **section(given, "file_upload")}
    limits = (
        {"max_file_size": 512, "max_files": 10} if upload["enabled"] else {"max_file_size": None, "max_files": None}
    )
    return {
        "automatic_thread_titling": {"enabled": True, **section(given, "automatic_thread_titling")},
        "file_upload": {**limits, **upload},
        "history": {"enabled": True, "recent_threads": None, **section(given, "history")},
    }


def _begin_thread(call: Call, user: str) -> None:
    identity = call.state.new_id("cthr_")
    now = call.now()

    def item(kind: str, **fields: object) -> Object:
        head: Object = {"id": call.state.new_id("cthi_"), "object": "chatkit.thread_item", "created_at": now}
        return {**head, "thread_id": identity, "type": f"chatkit.{kind}", **fields}

    question = [{"type": "input_text", "text": _QUESTION}]
    answer: list[Object] = [{"type": "output_text", "text": call.state.reply_text(_QUESTION), "annotations": []}]
    thread: Object = {
        "id": identity,
        "object": "chatkit.thread",
        "created_at": now,
        "status": {"type": "active"},
        "title": _QUESTION,
        "user": user,
    }
    items = [
        item("user_message", content=question, attachments=[], inference_options=None),
        item("assistant_message", content=answer),
    ]
    call.state.chatkit_threads.put(identity, StoredChatKitThread(thread, items))
