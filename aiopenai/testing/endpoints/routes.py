"""The routes: the endpoint of each path and verb."""

from __future__ import annotations

import logging
from urllib.parse import unquote

from aiopenai.testing.endpoints import (
    agent_environments,
    agent_records,
    agent_sessions,
    agents,
    assistants,
    audio,
    automations,
    batches,
    chat,
    chatkit,
    completions,
    containers,
    conversations,
    embeddings,
    eval_runs,
    evals,
    files,
    fine_tuning,
    graders,
    images,
    live,
    models,
    moderations,
    realtime,
    response_sockets,
    responses,
    runs,
    skills,
    threads,
    uploads,
    vaults,
    vector_stores,
    videos,
)
from aiopenai.testing.engine.exchange import PREFIX, Call, Handler
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError, Outcome
from aiopenai.testing.engine.sessions import SocketReply
from aiopenai.testing.memory.state import State

__all__ = ["dispatch", "resolve"]

_route_logger = logging.getLogger("aiopenai.testing")

# The nesting of a body that can exhaust the thousand frames of Python: an endpoint may use several for each level.
_DEEP = 100

# The verb of the routes of websockets.
_SOCKET = "SOCKET"
# `{}` stands for one segment of the path.
_ROUTES: dict[str, dict[str, Handler]] = {
    "/agents": {"POST": agents.create, "GET": agents.list_},
    "/agents/automations": {"POST": automations.create, "GET": automations.list_},
    "/agents/automations/{}": {
        "GET": automations.retrieve,
        "POST": automations.update,
        "DELETE": automations.delete,
    },
    "/agents/automations/{}/invocations": {"POST": automations.invoke, "GET": automations.invocations},
    "/agents/automations/{}/invocations/{}": {"GET": automations.retrieve_invocation},
    "/agents/automations/{}/pause": {"POST": automations.pause},
    "/agents/automations/{}/resume": {"POST": automations.resume},
    "/agents/environments": {"POST": agent_environments.create, "GET": agent_environments.list_},
    "/agents/environments/templates": {
        "POST": agent_environments.create_template,
        "GET": agent_environments.list_templates,
    },
    "/agents/environments/templates/{}": {
        "GET": agent_environments.retrieve_template,
        "POST": agent_environments.update_template,
        "DELETE": agent_environments.delete_template,
    },
    "/agents/environments/{}": {"GET": agent_environments.retrieve},
    "/agents/environments/{}/files": {
        "POST": agent_environments.create_file,
        "GET": agent_environments.list_files,
    },
    "/agents/sessions": {"POST": agent_sessions.create, "GET": agent_sessions.list_},
    "/agents/sessions/{}": {
        "GET": agent_sessions.retrieve,
        "POST": agent_sessions.update,
        "DELETE": agent_sessions.delete,
    },
    "/agents/sessions/{}/artifacts": {"GET": agent_records.list_artifacts},
    "/agents/sessions/{}/artifacts/{}": {
        "GET": agent_records.retrieve_artifact,
        "DELETE": agent_records.delete_artifact,
    },
    "/agents/sessions/{}/artifacts/{}/content": {"GET": agent_records.artifact_content},
    "/agents/sessions/{}/events": {"POST": agent_sessions.create_events, "GET": agent_sessions.stream},
    "/agents/sessions/{}/items": {"GET": agent_records.list_items},
    "/agents/sessions/{}/subagents": {"GET": agent_records.list_subagents},
    "/agents/sessions/{}/subagents/{}": {"GET": agent_records.no_subagent},
    "/agents/sessions/{}/subagents/{}/items": {"GET": agent_records.no_subagent},
    "/agents/sessions/{}/subagents/{}/turns": {"GET": agent_records.no_subagent},
    "/agents/sessions/{}/subagents/{}/turns/{}": {"GET": agent_records.no_subagent},
    "/agents/sessions/{}/subagents/{}/turns/{}/items": {"GET": agent_records.no_subagent},
    "/agents/sessions/{}/traces": {"GET": agent_records.list_traces},
    "/agents/sessions/{}/turns": {"GET": agent_records.list_turns},
    "/agents/sessions/{}/turns/{}": {"GET": agent_records.retrieve_turn},
    "/agents/sessions/{}/turns/{}/items": {"GET": agent_records.list_turn_items},
    "/agents/{}": {"GET": agents.retrieve, "POST": agents.update, "DELETE": agents.delete},
    "/assistants": {"POST": assistants.create, "GET": assistants.list_},
    "/assistants/{}": {"GET": assistants.retrieve, "POST": assistants.update, "DELETE": assistants.delete},
    "/audio/speech": {"POST": audio.speech},
    "/audio/transcriptions": {"POST": audio.transcribe},
    "/audio/translations": {"POST": audio.translate},
    "/audio/voice_consents": {"POST": audio.create_consent, "GET": audio.list_consents},
    "/audio/voice_consents/{}": {
        "GET": audio.retrieve_consent,
        "POST": audio.update_consent,
        "DELETE": audio.delete_consent,
    },
    "/audio/voices": {"POST": audio.create_voice},
    "/audio/voices/{}": {"DELETE": audio.delete_voice},
    "/batches": {"POST": batches.create, "GET": batches.list_},
    "/batches/{}": {"GET": batches.retrieve},
    "/batches/{}/cancel": {"POST": batches.cancel},
    "/chat/completions": {"POST": chat.create, "GET": chat.list_},
    "/chat/completions/{}": {"GET": chat.retrieve, "POST": chat.update, "DELETE": chat.delete},
    "/chat/completions/{}/messages": {"GET": chat.messages},
    "/chatkit/sessions": {"POST": chatkit.create_session},
    "/chatkit/sessions/{}/cancel": {"POST": chatkit.cancel_session},
    "/chatkit/threads": {"GET": chatkit.list_threads},
    "/chatkit/threads/{}": {"GET": chatkit.retrieve_thread, "DELETE": chatkit.delete_thread},
    "/chatkit/threads/{}/items": {"GET": chatkit.list_items},
    "/completions": {"POST": completions.create},
    "/containers": {"POST": containers.create, "GET": containers.list_},
    "/containers/{}": {"GET": containers.retrieve, "DELETE": containers.delete},
    "/containers/{}/files": {"POST": containers.create_file, "GET": containers.list_files},
    "/containers/{}/files/{}": {"GET": containers.retrieve_file, "DELETE": containers.delete_file},
    "/containers/{}/files/{}/content": {"GET": containers.file_content},
    "/conversations": {"POST": conversations.create},
    "/conversations/{}": {
        "GET": conversations.retrieve,
        "POST": conversations.update,
        "DELETE": conversations.delete,
    },
    "/conversations/{}/items": {"POST": conversations.create_items, "GET": conversations.list_items},
    "/conversations/{}/items/{}": {"GET": conversations.retrieve_item, "DELETE": conversations.delete_item},
    "/embeddings": {"POST": embeddings.create},
    "/evals": {"POST": evals.create, "GET": evals.list_},
    "/evals/{}": {"GET": evals.retrieve, "POST": evals.update, "DELETE": evals.delete},
    "/evals/{}/runs": {"POST": eval_runs.create, "GET": eval_runs.list_},
    # The API cancels a run by this path too.
    "/evals/{}/runs/{}": {"GET": eval_runs.retrieve, "POST": eval_runs.cancel, "DELETE": eval_runs.delete},
    "/evals/{}/runs/{}/cancel": {"POST": eval_runs.cancel},
    "/evals/{}/runs/{}/output_items": {"GET": eval_runs.list_items},
    "/evals/{}/runs/{}/output_items/{}": {"GET": eval_runs.retrieve_item},
    "/files": {"POST": files.create, "GET": files.list_},
    "/files/{}": {"GET": files.retrieve, "DELETE": files.delete},
    "/files/{}/content": {"GET": files.content},
    "/fine_tuning/alpha/graders/run": {"POST": graders.run},
    "/fine_tuning/alpha/graders/validate": {"POST": graders.validate},
    "/fine_tuning/checkpoints/{}/permissions": {"POST": fine_tuning.allow, "GET": fine_tuning.permissions},
    "/fine_tuning/checkpoints/{}/permissions/{}": {"DELETE": fine_tuning.disallow},
    "/fine_tuning/jobs": {"POST": fine_tuning.create, "GET": fine_tuning.list_},
    "/fine_tuning/jobs/{}": {"GET": fine_tuning.retrieve},
    "/fine_tuning/jobs/{}/cancel": {"POST": fine_tuning.cancel},
    "/fine_tuning/jobs/{}/checkpoints": {"GET": fine_tuning.checkpoints},
    "/fine_tuning/jobs/{}/events": {"GET": fine_tuning.events},
    "/fine_tuning/jobs/{}/pause": {"POST": fine_tuning.pause},
    "/fine_tuning/jobs/{}/resume": {"POST": fine_tuning.resume},
    "/images/edits": {"POST": images.edit},
    "/images/generations": {"POST": images.generate},
    "/images/variations": {"POST": images.variation},
    "/models": {"GET": models.list_},
    "/models/{}": {"GET": models.retrieve, "DELETE": models.delete},
    "/moderations": {"POST": moderations.create},
    "/live/sessions": {_SOCKET: live.connect},
    "/live/sessions/{}/attach": {_SOCKET: live.attach},
    "/live/sessions/{}/fork": {_SOCKET: live.connect},
    "/realtime": {_SOCKET: realtime.connect},
    "/realtime/translations": {_SOCKET: live.translations},
    "/responses": {"POST": responses.create, _SOCKET: response_sockets.connect},
    "/responses/compact": {"POST": responses.compact},
    "/responses/input_tokens": {"POST": responses.input_tokens},
    "/responses/{}": {"GET": responses.retrieve, "DELETE": responses.delete},
    "/responses/{}/cancel": {"POST": responses.cancel},
    "/responses/{}/input_items": {"GET": responses.input_items},
    "/skills": {"POST": skills.create, "GET": skills.list_},
    "/skills/{}": {"GET": skills.retrieve, "POST": skills.update, "DELETE": skills.delete},
    "/skills/{}/content": {"GET": skills.content},
    "/skills/{}/versions": {"POST": skills.create_version, "GET": skills.list_versions},
    "/skills/{}/versions/{}": {"GET": skills.retrieve_version, "DELETE": skills.delete_version},
    "/skills/{}/versions/{}/content": {"GET": skills.version_content},
    "/threads": {"POST": threads.create},
    "/threads/runs": {"POST": runs.create_with_thread},
    "/threads/{}": {"GET": threads.retrieve, "POST": threads.update, "DELETE": threads.delete},
    "/threads/{}/messages": {"POST": threads.create_message, "GET": threads.list_messages},
    "/threads/{}/messages/{}": {
        "GET": threads.retrieve_message,
        "POST": threads.update_message,
        "DELETE": threads.delete_message,
    },
    "/threads/{}/runs": {"POST": runs.create, "GET": runs.list_},
    "/threads/{}/runs/{}": {"GET": runs.retrieve, "POST": runs.update},
    "/threads/{}/runs/{}/cancel": {"POST": runs.cancel},
    "/threads/{}/runs/{}/steps": {"GET": runs.list_steps},
    "/threads/{}/runs/{}/steps/{}": {"GET": runs.retrieve_step},
    "/threads/{}/runs/{}/submit_tool_outputs": {"POST": runs.submit_tool_outputs},
    "/uploads": {"POST": uploads.create},
    "/uploads/{}/cancel": {"POST": uploads.cancel},
    "/uploads/{}/complete": {"POST": uploads.complete},
    "/uploads/{}/parts": {"POST": uploads.create_part},
    "/vaults": {"POST": vaults.create, "GET": vaults.list_},
    "/vaults/{}": {"GET": vaults.retrieve, "POST": vaults.update, "DELETE": vaults.delete},
    "/vaults/{}/credentials": {"POST": vaults.create_credential, "GET": vaults.list_credentials},
    "/vaults/{}/credentials/{}": {
        "GET": vaults.retrieve_credential,
        "POST": vaults.update_credential,
        "DELETE": vaults.delete_credential,
    },
    "/vector_stores": {"POST": vector_stores.create, "GET": vector_stores.list_},
    "/vector_stores/{}": {
        "GET": vector_stores.retrieve,
        "POST": vector_stores.update,
        "DELETE": vector_stores.delete,
    },
    "/vector_stores/{}/file_batches": {"POST": vector_stores.create_batch},
    "/vector_stores/{}/file_batches/{}": {"GET": vector_stores.retrieve_batch},
    "/vector_stores/{}/file_batches/{}/cancel": {"POST": vector_stores.cancel_batch},
    "/vector_stores/{}/file_batches/{}/files": {"GET": vector_stores.list_batch_files},
    "/vector_stores/{}/files": {"POST": vector_stores.create_file, "GET": vector_stores.list_files},
    "/vector_stores/{}/files/{}": {
        "GET": vector_stores.retrieve_file,
        "POST": vector_stores.update_file,
        "DELETE": vector_stores.delete_file,
    },
    "/vector_stores/{}/files/{}/content": {"GET": vector_stores.file_content},
    "/vector_stores/{}/search": {"POST": vector_stores.search},
    "/videos": {"POST": videos.create, "GET": videos.list_},
    "/videos/characters": {"POST": videos.create_character},
    "/videos/characters/{}": {"GET": videos.character},
    "/videos/edits": {"POST": videos.edit},
    "/videos/extensions": {"POST": videos.extend},
    "/videos/{}": {"GET": videos.retrieve, "DELETE": videos.delete},
    "/videos/{}/content": {"GET": videos.content},
    "/videos/{}/remix": {"POST": videos.remix},
}
_FIXED = {PREFIX + path: verbs for path, verbs in _ROUTES.items() if "{}" not in path}
_OPEN = [((PREFIX + path).split("/"), verbs) for path, verbs in _ROUTES.items() if "{}" in path]


def resolve(method: str, raw_path: str) -> tuple[Handler, tuple[str, ...]]:
    """Returns the endpoint for a verb and a path as sent (without the query), and the values of its parameters.

    Raises `ApiError`: 404 for an unknown path, 405 for a verb that its path does not allow.
    """
    verbs = _FIXED.get(raw_path)
    if verbs is not None and (endpoint := verbs.get(method)) is not None:
        return endpoint, ()
    allowed = set(verbs or ())
    # Percent-decoded after the split, because an id may hold an encoded slash.
    steps = raw_path.split("/")
    for pattern, verbs in _OPEN:
        if len(pattern) != len(steps):
            continue
        if all(step if wanted == "{}" else wanted == step for wanted, step in zip(pattern, steps, strict=True)):
            if (endpoint := verbs.get(method)) is not None:
                found = zip(pattern, steps, strict=True)
                return endpoint, tuple(unquote(step) for wanted, step in found if wanted == "{}")
            allowed.update(verbs)
    path = unquote(raw_path)
    if allowed:
        allowed.discard(_SOCKET)
        message = f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
        raise ApiError(405, message, code="method_not_supported", headers={"allow": ", ".join(sorted(allowed))})
    raise ApiError(404, f"Invalid URL ({method} {path})", code="unknown_url")


def dispatch(state: State, request: ReceivedRequest, request_id: str) -> Outcome | SocketReply:
    """Returns the reply to a request. Errors are replies too."""
    try:
        verb = _SOCKET if request.opens_socket else request.method
        endpoint, ids = resolve(verb, request.raw_path.partition("?")[0])
        return endpoint(Call(state, request, ids, request_id, dispatch))
    except ApiError as error:
        return error.reply()
    except Exception as exc:
        if isinstance(exc, RecursionError) and _nests_deeply(request.body):
            return ApiError(400, "The body of your request nests too deeply.").reply()
        # The `answer` of a test may fail. The client under test sees the error that the API sends for its own failures.
        _route_logger.exception("%s %s failed", request.method, request.path)
        message = f"The server had an error while processing your request: {type(exc).__name__}."
        return ApiError(500, message, type="server_error").reply()


def _nests_deeply(body: bytes) -> bool:
    return body.count(b"{") + body.count(b"[") >= _DEEP
