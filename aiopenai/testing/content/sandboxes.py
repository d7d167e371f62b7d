"""Containers, and the runs of code in them.

A model runs code when the text of the user speaks of code or Python, or when `tool_choice` says so. The code is that
of the text's first block, or prints the answer. It is not executed: its log is the answer of the server, and the file
`/mnt/data/output.txt` has the log too.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import ARRAY, OBJECT, STRING, check, file_of, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object, strings
from aiopenai.testing.memory.stored import StoredFile

__all__ = ["MEMORY", "CodeRun", "add_container_file", "new_container", "run_code", "wanted_interpreter"]

_WANTS_CODE = re.compile(r"\b(?:code|code_interpreter|python)\b", re.IGNORECASE)
_BLOCK = re.compile(r"```(?:python|py)?\n(.*?)\n?```", re.DOTALL)
MEMORY = STRING.one_of("1g", "4g", "16g", "64g")
_AUTO = {
    "type": STRING.one_of("auto"),
    "file_ids": ARRAY,
    "memory_limit": MEMORY,
    "network_policy": OBJECT,
}
_OUTPUT = "output.txt"


class CodeRun(NamedTuple):
    """A run of code: its output item, and the citation of the file that it wrote."""

    item: Object
    citation: Object


def new_container(call: Call, name: str, settings: Object) -> Object:
    """Creates a container with the files that `file_ids` names. Raises `ApiError` 404 for a file that is none."""
    files = [file_of(identity, call.state, "file_ids") for identity in strings(settings.get("file_ids"))]
    policy: Object = settings.get("network_policy") or {"type": "disabled"}
    container: Object = {
        "id": call.state.new_id("cntr_"),
        "object": "container",
        "created_at": call.now(),
        "name": name,
        "status": "running",
        "expires_after": settings.get("expires_after") or {"anchor": "last_active_at", "minutes": 20},
        "last_active_at": call.now(),
        "memory_limit": settings.get("memory_limit") or "1g",
        "network_policy": {name: policy[name] for name in ("type", "allowed_domains") if name in policy},
    }
    call.state.containers.put(container["id"], container)
    for file in files:
        add_container_file(call, container["id"], file.file["filename"], file.data)
    return container


def add_container_file(call: Call, container: str, filename: str, data: bytes, source: str = "user") -> Object:
    """Adds a file to a container, and returns the object that describes it."""
    identity = call.state.new_id("cfile_")
    file: Object = {
        "id": identity,
        "object": "container.file",
        "created_at": call.now(),
        "bytes": len(data),
        "container_id": container,
        "path": f"/mnt/data/{filename}",
        "source": source,
    }
    call.state.container_files.put(identity, StoredFile(file, data), len(data))
    return file


def wanted_interpreter(body: Object, text: str) -> Object | None:
    """Returns the code interpreter among the tools if the model uses it for a text of the user; None otherwise."""
    tools: list[Any] = body["tools"] if is_array(body.get("tools")) else []
    found = next((tool for tool in tools if is_object(tool) and tool.get("type") == "code_interpreter"), None)
    choice = body.get("tool_choice")
    if found is None or choice == "none":
        return None
    if is_object(choice):
        return found if choice.get("type") == "code_interpreter" else None
    others = [tool for tool in tools if is_object(tool) and tool.get("type") in ("function", "custom")]
    if any(str(tool.get("name")) in text for tool in others):
        return None
    return found if _WANTS_CODE.search(text) or (choice == "required" and not others) else None


def run_code(call: Call, tool: Object, text: str, *, with_outputs: bool) -> CodeRun:
    """Returns a run of code in the container of the tool, which is created if the tool says `auto`.

    with_outputs: whether the item has the log. The API leaves it out unless a request includes it.
    """
    container = _container(call, tool.get("container"))
    block = _BLOCK.search(text)
    answer = call.state.reply_text(text)
    log = f"{answer}\n"
    file = add_container_file(call, container["id"], _OUTPUT, log.encode(), "assistant")
    item: Object = {
        "id": call.state.new_id("ci_"),
        "type": "code_interpreter_call",
        "status": "completed",
        "code": block[1] if block else f"print({answer!r})",
        "container_id": container["id"],
        "outputs": [{"type": "logs", "logs": log}] if with_outputs else None,
    }
    citation: Object = {
        "type": "container_file_citation",
        "container_id": container["id"],
        "file_id": file["id"],
        "filename": _OUTPUT,
        "start_index": 0,
        "end_index": 0,
    }
    return CodeRun(item, citation)


def _container(call: Call, given: object) -> Object:
    if given is None:
        raise missing("tools.container")
    if is_object(given):
        check(given, _AUTO, ("type",), where="container.")
        return new_container(call, "auto", given)
    found = call.state.containers.get(str(given))
    if found is None:
        raise ApiError(404, f"Container with id '{given}' not found.", param="tools.container", code="not_found")
    found["last_active_at"] = call.now()
    return found
