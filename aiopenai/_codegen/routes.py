"""The paths and the types of the websockets, which the reference keeps in the bodies of its managers."""

from __future__ import annotations

__all__ = ["ROUTES", "WEBSOCKET_TYPES"]

# The arguments of `Route`, by the path of the resource.
ROUTES: dict[str, str] = {
    "responses": '"/responses"',
    "beta.responses": '"/responses"',
    "realtime": '"/realtime", over=("call_id",)',
    "realtime.translations": '"/realtime/translations"',
    "live": '"/live/sessions"',
    "live.forks": '"/live/sessions/{session_id}/fork"',
    "live.sideband": '"/live/sessions/{session_id}/attach"',
    "beta.realtime": '"/realtime", headers={"OpenAI-Beta": "realtime=v1"}',
}

# The modules of `types` that hold the types of websockets, which are written by hand in `_base`.
WEBSOCKET_TYPES: dict[str, tuple[str, ...]] = {
    "websocket_connection_options": (
        "SyncWebSocketConnectionOptions",
        "WebSocketConnectionOptions",
        "WebsocketConnectionOptions",
    ),
    "websocket_reconnection": ("ReconnectingEvent", "ReconnectingOverrides", "is_recoverable_close"),
}
