from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict

MANIFEST = b'---\nname: rivers\ndescription: "Knows rivers."\n---\n# Rivers\n'
FILES: Any = [("rivers/SKILL.md", MANIFEST), ("rivers/data.csv", b"nile,6650\n")]


def names(archive: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.namelist()


def packed(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"rivers/{name}.md", data)
    return target.getvalue()


async def test_skills(client: AsyncOpenAI) -> None:
    made = [strict(await client.skills.create(files=FILES)) for _ in range(2)]
    assert (made[0].name, made[0].description, made[0].default_version) == ("rivers", "Knows rivers.", "1")
    assert [each.id for each in await collect(client.skills.list(limit=1))] == [made[1].id, made[0].id]
    assert strict(await client.skills.retrieve(made[0].id)) == made[0]
    content = await client.skills.content.retrieve(made[0].id)
    assert names(content.content) == ["rivers/SKILL.md", "rivers/data.csv"]
    assert strict(await client.skills.delete(made[0].id)).deleted
    with pytest.raises(NotFoundError):
        await client.skills.retrieve(made[0].id)


async def test_versions(client: AsyncOpenAI) -> None:
    skill = await client.skills.create(files=FILES)
    versions = client.skills.versions
    new = MANIFEST.replace(b"rivers", b"lakes")
    second = strict(await versions.create(skill.id, files=[("x/SKILL.md", new)]))
    assert (second.version, second.name) == ("2", "lakes")
    skill = strict(await client.skills.retrieve(skill.id))
    assert (skill.name, skill.default_version, skill.latest_version) == ("rivers", "1", "2")
    third = strict(await versions.create(skill.id, files=[("x/SKILL.md", new)], default=True))
    skill = strict(await client.skills.retrieve(skill.id))
    assert (skill.name, skill.default_version, skill.latest_version) == ("lakes", "3", "3")
    assert [each.version for each in await collect(versions.list(skill.id, limit=2))] == ["3", "2", "1"]
    assert strict(await versions.retrieve("latest", skill_id=skill.id)) == third
    assert names((await versions.content.retrieve("1", skill_id=skill.id)).content)[0] == "rivers/SKILL.md"
    with pytest.raises(BadRequestError, match="Cannot delete the default version"):
        await versions.delete("3", skill_id=skill.id)
    assert strict(await client.skills.update(skill.id, default_version="1")).name == "rivers"
    gone = strict(await versions.delete("3", skill_id=skill.id))
    assert (gone.version, gone.deleted) == ("3", True)
    assert (await client.skills.retrieve(skill.id)).latest_version == "2"
    # A number is never used again.
    assert (await versions.create(skill.id, files=FILES)).version == "4"
    with pytest.raises(NotFoundError):
        await versions.retrieve("3", skill_id=skill.id)


async def test_archives(client: AsyncOpenAI) -> None:
    skill = strict(await client.skills.create(files=("rivers.zip", packed(SKILL=MANIFEST, notes=b"x"))))
    assert skill.name == "rivers"
    content = await client.skills.content.retrieve(skill.id)
    assert names(content.content) == ["rivers/SKILL.md", "rivers/notes.md"]


async def test_a_broken_archive(client: AsyncOpenAI) -> None:
    broken = packed(SKILL=MANIFEST).replace(b"Knows rivers", b"Knows nothing", 1)
    with pytest.raises(BadRequestError, match="The zip archive cannot be read") as caught:
        await client.skills.create(files=("rivers.zip", broken))
    assert (caught.value.code, caught.value.param) == ("invalid_zip", "files")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a/README.md", b"x")], "exactly one file SKILL.md, but 0 were given"),
        ([*FILES, ("other/SKILL.md", MANIFEST)], "exactly one file SKILL.md, but 2 were given"),
        ([("a/SKILL.md", b"# No head")], "has no 'name'"),
        ([("a/SKILL.md", b"---\nname: x\n---\n")], "has no 'description'"),
        ([("a.zip", packed(notes=b"x"))], "exactly one file SKILL.md, but 0 were given"),
    ],
    ids=["none", "two", "head", "description", "archive"],
)
async def test_invalid_bundles(files: Any, message: str, client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match=message) as caught:
        await client.skills.create(files=files)
    assert (caught.value.code, caught.value.param) == ("invalid_skill", "files")


async def test_missing_files(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError):
        await client.skills.create()
    with pytest.raises(NotFoundError):
        await client.skills.update((await client.skills.create(files=FILES)).id, default_version="7")
