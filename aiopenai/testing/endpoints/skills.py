"""The endpoints `/skills`: bundles of files with instructions for a model, in numbered versions."""

from __future__ import annotations

import io
import re
import zipfile

from aiopenai.testing.endpoints.files import attachment
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import Form, read_form
from aiopenai.testing.engine.multipart import Part
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import BOOLEAN, STRING, check, missing, not_found, stored
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.stored import StoredSkill, StoredSkillVersion

__all__ = [
    "content",
    "create",
    "create_version",
    "delete",
    "delete_version",
    "list_",
    "list_versions",
    "retrieve",
    "retrieve_version",
    "update",
    "version_content",
]

_MANIFEST = "SKILL.md"
# The head of the manifest: lines of YAML between two lines of dashes.
_HEAD = re.compile(r"\A---\s*\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(name|description):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
# A fixed time makes equal skills equal archives.
_TIME = (2025, 1, 1, 0, 0, 0)


def create(call: Call) -> WholeReply:
    """POST /skills: multipart with the files of a directory, or with one zip archive."""
    files = _files(read_form(call, {}))
    identity = call.state.new_id("skill_")
    skill: Object = {
        "id": identity,
        "object": "skill",
        "created_at": call.now(),
        "default_version": "1",
        "latest_version": "1",
    }
    kept = StoredSkill(skill, {}, 0)
    _add_version(call, kept, files)
    _describe(kept)
    call.state.skills.put(identity, kept)
    return WholeReply.json(skill)


def retrieve(call: Call) -> WholeReply:
    """GET /skills/{skill_id}."""
    return WholeReply.json(_skill(call).skill)


def update(call: Call) -> WholeReply:
    """POST /skills/{skill_id}: chooses the default version."""
    kept = _skill(call)
    body = call.body()
    check(body, {"default_version": STRING}, ("default_version",))
    kept.skill["default_version"] = _number(kept, body["default_version"])
    _describe(kept)
    return WholeReply.json(kept.skill)


def list_(call: Call) -> WholeReply:
    """GET /skills: the newest first."""
    return page([kept.skill for kept in call.state.skills.values()], call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /skills/{skill_id}: its versions go too."""
    _skill(call)
    call.state.skills.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "skill.deleted", "deleted": True})


def content(call: Call) -> WholeReply:
    """GET /skills/{skill_id}/content: the default version as a zip archive."""
    kept = _skill(call)
    return _download(kept, kept.skill["default_version"])


def create_version(call: Call) -> WholeReply:
    """POST /skills/{skill_id}/versions: as in `create`, with `default`."""
    kept = _skill(call)
    form = read_form(call, {"default": BOOLEAN})
    version = _add_version(call, kept, _files(form))
    kept.skill["latest_version"] = version["version"]
    if form.fields.get("default") is True:
        kept.skill["default_version"] = version["version"]
    _describe(kept)
    return WholeReply.json(version)


def retrieve_version(call: Call) -> WholeReply:
    """GET /skills/{skill_id}/versions/{version}: a number, `latest` or `default`."""
    kept = _skill(call)
    return WholeReply.json(kept.versions[_number(kept, call.ids[1])].version)


def list_versions(call: Call) -> WholeReply:
    """GET /skills/{skill_id}/versions: the newest first."""
    return page([each.version for each in _skill(call).versions.values()], call.request.query, order="desc")


def version_content(call: Call) -> WholeReply:
    """GET /skills/{skill_id}/versions/{version}/content: a zip archive."""
    kept = _skill(call)
    return _download(kept, _number(kept, call.ids[1]))


def delete_version(call: Call) -> WholeReply:
    """DELETE /skills/{skill_id}/versions/{version}: any but the default one."""
    kept = _skill(call)
    number = _number(kept, call.ids[1])
    if number == kept.skill["default_version"]:
        message = "Cannot delete the default version of a skill: choose another default, or delete the skill."
        raise ApiError(400, message, param="version", code="invalid_value")
    removed = kept.versions.pop(number)
    kept.skill["latest_version"] = next(reversed(kept.versions))
    identity = removed.version["id"]
    return WholeReply.json({"id": identity, "object": "skill.version.deleted", "deleted": True, "version": number})


def _skill(call: Call) -> StoredSkill:
    return stored(call.state.skills, call.ids[0], "skill")


def _number(kept: StoredSkill, name: str) -> str:
    number = {"latest": kept.skill["latest_version"], "default": kept.skill["default_version"]}.get(name, name)
    if number not in kept.versions:
        raise not_found(name, "version of this skill")
    return str(number)


def _download(kept: StoredSkill, number: str) -> WholeReply:
    name = kept.versions[number].version["name"]
    return attachment(f"{name}-{number}.zip", kept.versions[number].archive)


def _files(form: Form) -> dict[str, bytes]:
    """Returns the files of a request by their paths, those inside an archive too."""
    parts = form.files.get("files")
    if not parts:
        raise missing("files")
    if len(parts) == 1 and zipfile.is_zipfile(io.BytesIO(parts[0].data)):
        return _unpacked(parts[0])
    return {part.filename or part.name: part.data for part in parts}


def _unpacked(part: Part) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(part.data)) as archive:
            return {each.filename: archive.read(each) for each in archive.infolist() if not each.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ApiError(400, f"The zip archive cannot be read: {error}.", param="files", code="invalid_zip") from None


def _add_version(call: Call, kept: StoredSkill, files: dict[str, bytes]) -> Object:
    manifests = [path for path in files if path.rpartition("/")[2] == _MANIFEST]
    if len(manifests) != 1:
        message = f"A skill must have exactly one file {_MANIFEST}, but {len(manifests)} were given."
        raise ApiError(400, message, param="files", code="invalid_skill")
    text = files[manifests[0]].decode("utf-8", "replace").replace("\r\n", "\n")
    head = _HEAD.match(text)
    fields = {name: value.strip("\"'") for name, value in _FIELD.findall(head[1])} if head else {}
    for name in ("name", "description"):
        if not fields.get(name):
            message = f"The head of {_MANIFEST} has no '{name}'."
            raise ApiError(400, message, param="files", code="invalid_skill")
    kept.last += 1
    version: Object = {
        "id": call.state.new_id("skillver_"),
        "object": "skill.version",
        "created_at": call.now(),
        "description": fields["description"],
        "name": fields["name"],
        "skill_id": kept.skill["id"],
        "version": str(kept.last),
    }
    kept.versions[version["version"]] = StoredSkillVersion(version, _packed(files))
    return version


def _describe(kept: StoredSkill) -> None:
    """Gives a skill the name and the description of its default version."""
    version = kept.versions[kept.skill["default_version"]].version
    kept.skill.update(name=version["name"], description=version["description"])


def _packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, _TIME), data)
    return target.getvalue()
