"""The settings of agents: of stored ones, and of the agents of sessions."""

from __future__ import annotations

from aiopenai.testing.content.answers import PLAIN_TEXT, OutputFormat
from aiopenai.testing.content.tools import named_tools
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import (
    ARRAY,
    OBJECT,
    STRING,
    check,
    check_metadata,
    check_model,
    invalid_value,
    missing,
    wrong_type,
)
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object, section

__all__ = ["check_beta", "of_session", "output_format", "settings_of"]

_PARAMS = {
    "compaction": OBJECT,
    "experimental": OBJECT,
    "instructions": STRING,
    "metadata": OBJECT,
    "model": STRING,
    "multi_agent": OBJECT,
    "name": STRING,
    "reasoning": OBJECT,
    "service_tier": STRING.one_of("auto", "default", "flex", "priority", "fast", "ultrafast"),
    "text": OBJECT,
    "tools": ARRAY,
}
# The values that a reply has for the keys that a request left out, by the type of the tool.
_TOOL_DEFAULTS: dict[str, Object] = {
    "function": {"defer_loading": False},
    "tool_search": {},
    "programmatic_tool_calling": {"enabled": True},
    "mcp": {
        "allowed_tools": None,
        "connection_origin": "service",
        "credential_id": None,
        "request_metadata": {},
        "required": False,
    },
    "web_search": {"allowed_domains": None, "context_size": "medium", "location": None, "mode": "live"},
    "computer_use": {"include_screenshots": True},
    "automations": {},
}


def check_beta(call: Call) -> None:
    """Raises `ApiError` 400 for a request without the header of the beta."""
    named = [name.strip() for name in call.request.headers.get("openai-beta", "").split(",")]
    if "agents=v1" not in named:
        message = "You must provide the 'OpenAI-Beta' header to use agents. Set the header 'OpenAI-Beta: agents=v1'."
        raise ApiError(400, message, code="invalid_beta")


def settings_of(call: Call, given: Object, base: Object | None = None, *, where: str = "") -> Object:
    """Returns the settings of an agent: those of a request over those of `base`.

    where: the prefix of the names of parameters, such as `agent.`.
    Raises `ApiError` 400 for invalid settings and for a missing model, 404 for an unknown model.
    """
    check(given, _PARAMS, where=where)
    check_metadata(given.get("metadata"))
    settings: Object = {
        "instructions": None,
        "multi_agent": {"enabled": False, "max_concurrent_subagents": None},
        "name": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tools": [],
        **(base or {}),
    }
    if given.get("model") is not None:
        check_model(given["model"], call.state)
        settings["model"] = given["model"]
    if "model" not in settings:
        raise missing(f"{where}model")
    for name in ("instructions", "name", "service_tier"):
        if name in given:
            settings[name] = given[name] if given[name] is not None else ("auto" if name == "service_tier" else None)
    for name in ("multi_agent", "reasoning", "text", "compaction", "experimental"):
        if name in given:
            settings[name] = {**(settings.get(name) or {}), **section(given, name)}
    output_format(settings["text"], f"{where}text.format")
    if "tools" in given:
        settings["tools"] = _tools(given["tools"], f"{where}tools")
    return settings


def output_format(text: Object, where: str = "text.format") -> OutputFormat:
    """Returns the output format of an agent. Raises `ApiError` 400 for an invalid one."""
    wanted = text.get("format")
    if wanted is None:
        return PLAIN_TEXT
    if not is_object(wanted):
        raise wrong_type(where, "an object", wanted)
    kind = wanted.get("type")
    if kind not in ("json_schema", "text"):
        raise invalid_value(f"{where}.type", kind, ("json_schema", "text"))
    if kind == "text":
        return PLAIN_TEXT
    if not is_object(wanted.get("schema")):
        raise missing(f"{where}.schema")
    return OutputFormat(kind, wanted["schema"])


def of_session(tools: list[Object]) -> list[Object]:
    """Returns tools as sessions show them: without the headers of MCP servers, and without the tool search."""
    return [_without_headers(tool) for tool in tools if tool["type"] != "tool_search"]


def _without_headers(tool: Object) -> Object:
    transport = tool.get("transport")
    if not is_object(transport):
        return tool
    return {**tool, "transport": {name: value for name, value in transport.items() if name != "headers"}}


def _tools(given: object, where: str) -> list[Object]:
    named_tools(given, nested=False, hosted=True, where=where)
    tools: list[Object] = []
    for number, tool in enumerate(given if is_array(given) else ()):
        kind = tool.get("type")
        if kind not in _TOOL_DEFAULTS:
            raise invalid_value(f"{where}[{number}].type", kind, tuple(_TOOL_DEFAULTS))
        due = {"function": ("description", "parameters"), "mcp": ("server_label", "transport")}.get(kind, ())
        for name in due:
            if name not in tool:
                raise missing(f"{where}[{number}].{name}")
        tools.append({**_TOOL_DEFAULTS[kind], **tool, **_transport(tool)})
    return tools


def _transport(tool: Object) -> Object:
    """Returns the transport of a tool for an MCP server, with the values that a request left out."""
    given = tool.get("transport")
    if not is_object(given):
        return {}
    defaults: Object = {"args": [], "cwd": "/workspace", "env_vars": []} if given.get("type") == "stdio" else {}
    return {"transport": {**defaults, **given}}
