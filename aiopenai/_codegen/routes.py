"""The paths of the websockets, which the reference keeps in the bodies of its managers."""

from __future__ import annotations

__all__ = ["ROUTES"]

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
