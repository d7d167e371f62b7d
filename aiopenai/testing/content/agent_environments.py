"""The environments of agents: their descriptions, and the files in them."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from typing import Any

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import ARRAY, OBJECT, STRING, check, file_of, invalid_value, missing, wrong_type
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object, strings
from aiopenai.testing.memory.agents import StoredEnvironment

__all__ = ["as_environment", "check_file", "described", "file_info", "new_environment", "place_file"]

_SETUP = {
    "capability_directories": ARRAY,
    "desktop": OBJECT,
    "env": OBJECT,
    "files": ARRAY,
    "name": STRING,
    "network": OBJECT,
    "packages": OBJECT,
    "plugins": ARRAY,
    "setup_commands": ARRAY,
    "skills": ARRAY,
}
_FAILING = re.compile(r"\s*(false|exit\s+[1-9]\d*)\s*")


def described(given: Object, base: Object | None = None) -> Object:
    """Returns the parts of an environment that replies show, those of a request over those of `base`.

    Commands and variables are left out. Raises `ApiError` 400 for invalid ones.
    """
    check(given, _SETUP)
    shown: Object = {
        "capability_directories": [],
        "files": [],
        "network": {"access": "enabled", "allowed_domains": []},
        "packages": {"npm": [], "python": [], "system": []},
        "plugins": [],
        "skills": [],
        **(base or {}),
    }
    if given.get("capability_directories") is not None:
        shown["capability_directories"] = strings(given["capability_directories"])
    if is_object(network := given.get("network")):
        access = network.get("access")
        if access not in ("enabled", "disabled", "restricted"):
            raise invalid_value("network.access", access, ("disabled", "enabled", "restricted"))
        shown["network"] = {"access": access, "allowed_domains": strings(network.get("allowed_domains"))}
    if is_object(packages := given.get("packages")):
        shown["packages"] = {name: strings(packages.get(name)) for name in ("npm", "python", "system")}
    for name in ("plugins", "skills"):
        if is_array(found := given.get(name)):
            shown[name] = [_capability(each, f"{name}[{number}]") for number, each in enumerate(found)]
    if is_object(desktop := given.get("desktop")):
        shown["desktop"] = {"enabled": desktop.get("enabled") is True}
    return shown


def _capability(given: Any, where: str) -> Object:
    """Returns a skill or a plugin without its archive."""
    if not is_object(given):
        raise wrong_type(where, "an object", given)
    if given.get("type") == "skill_reference":
        identity = given.get("skill_id")
        if type(identity) is not str:
            raise missing(f"{where}.skill_id")
        version = str(given.get("version") or "1")
        reference = {"type": "skill_reference", "skill_id": identity, "version": version}
        return {**reference, "name": identity, "description": ""}
    for name in ("name", "description"):
        if type(given.get(name)) is not str:
            raise missing(f"{where}.{name}")
    return {"type": "inline", "name": given["name"], "description": given["description"]}


def _template_of(call: Call, given: Object) -> Object | None:
    """Returns the template that a request names. Raises `ApiError` 404 for an unknown one."""
    identity = given.get("environment_template_id")
    if identity is None:
        return None
    found = call.state.agent_templates.get(identity)
    if found is None:
        raise ApiError(404, f"No environment template found with id '{identity}'.", param="environment_template_id")
    return found


def new_environment(call: Call, given: Object, kind: str) -> StoredEnvironment:
    """Makes and keeps an environment with the files of a request and of its template."""
    template = _template_of(call, given)
    names = ("capability_directories", "network", "packages", "plugins", "skills", "desktop")
    base = {name: template[name] for name in names if name in template} if template is not None else None
    made = StoredEnvironment({"id": call.state.new_id("env_"), "object": "agent.environment", "type": kind})
    made.info.update(status="connected", **described(given, base))
    if template is not None:
        for file in template["given_files"]:
            place_file(call, made, file, "files")
    for number, file in enumerate(given.get("files") or ()):
        place_file(call, made, file, f"files[{number}]")
    if _setup_fails(given):
        made.info["status"] = "failed"
    call.state.agent_environments.put(made.info["id"], made)
    return made


def _setup_fails(given: Object) -> bool:
    """Returns whether a setup command fails: `false`, or `exit` with a number above 0."""
    commands: list[Any] = given.get("setup_commands") or []
    texts = strings([command.get("command") for command in commands if is_object(command)])
    return any(map(_FAILING.fullmatch, texts))


def place_file(call: Call, environment: StoredEnvironment, given: Any, where: str) -> Object:
    """Copies a file into an environment, and returns its description.

    Raises `ApiError` 400 for a path outside of `/workspace` and for data that is not base64, 404 for an unknown file.
    """
    file, data = check_file(call, given, where)
    path: str = file["path"]
    environment.files[path] = data
    entry = {"id": call.state.new_id("envfile_"), "path": path, "size_bytes": len(data), "type": file["type"]}
    if file["type"] == "file_id":
        entry["file_id"] = file["file_id"]
    environment.info["files"] = [*environment.info["files"], entry]
    return file_info(environment, path)


def file_info(environment: StoredEnvironment, path: str) -> Object:
    """Returns the description of a file in an environment."""
    return {
        "object": "agent.environment.file",
        "environment_id": environment.info["id"],
        "path": path,
        "size_bytes": len(environment.files[path]),
    }


def check_file(call: Call, given: Any, where: str) -> tuple[Object, bytes]:
    """Returns the description of a file after a check, and its bytes; see `place_file`."""
    if not is_object(given):
        raise wrong_type(where, "an object", given)
    kind = given.get("type")
    if kind not in ("file_id", "inline"):
        raise invalid_value(f"{where}.type", kind, ("file_id", "inline"))
    due = "file_id" if kind == "file_id" else "data"
    for name in ("path", due):
        if type(given.get(name)) is not str:
            raise missing(f"{where}.{name}")
    parts = given["path"].split("/")
    if parts[:2] != ["", "workspace"] or len(parts) < 3 or {"", ".", ".."} & set(parts[2:]):
        message = f"Invalid '{where}.path': expected a path below '/workspace', but got '{given['path']}' instead."
        raise ApiError(400, message, param=f"{where}.path", code="invalid_value")
    return given, _file_data(call, given, where)


def _file_data(call: Call, file: Object, where: str) -> bytes:
    """Returns the bytes of a described file."""
    if file["type"] == "file_id":
        return file_of(file["file_id"], call.state, f"{where}.file_id").data
    try:
        return b64decode(file["data"], validate=True)
    except Error:
        message = f"Invalid '{where}.data': expected base64."
        raise ApiError(400, message, param=f"{where}.data", code="invalid_value") from None


def as_environment(environment: StoredEnvironment, given: Object) -> Object:
    """Returns the environment of a session as its replies show it."""
    info = environment.info
    own = {name: info[name] for name in ("id", "capability_directories", "type")}
    if info["type"] == "self_hosted":
        url = f"https://environments.invalid/{info['id']}"
        return {**own, "remote_url": url, "workspace_directory": given["workspace_directory"]}
    for name in ("files", "network", "packages", "plugins", "skills", "desktop"):
        if name in info:
            own[name] = info[name]
    if given.get("container_size") is not None:
        own["container_size"] = given["container_size"]
    return own
