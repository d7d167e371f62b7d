"""What `--check` prints: names that came and went, and types that changed."""

from __future__ import annotations

from aiopenai._codegen.drift import drift

RESOURCES = '''
class Things(Resource[M]):
    """`client.things`"""
    @cached_property
    def parts(self) -> Parts[M]: ...
    @get("/things/{thing_id}", Thing)
    def retrieve(self, thing_id: str, *, order: Literal["asc", "desc"] | Omit = omit) -> Thing: ...
    def _create(self, *, name: str) -> Thing: ...
    def _create_streaming(self, *, name: str, stream: Literal[True]) -> ThingEvent: ...
    @helper("aiopenai.lib.polling:wait")
    def wait(self, part_id: str, *, every: float = 1.5, **options: Unpack[CallOptions]) -> Thing: ...
    create = streamed("POST", "/things", Thing, ThingEvent, _create, _create_streaming)
'''
REPLIES = """
Size: TypeAlias = Literal["small", "large"]
class Thing(Model):
    id: str
    next: "Thing | None" = None
"""
PARAMS = """
Reserved = TypedDict("Reserved", {"async": bool, "from": str}, total=False)
"""
BEFORE = {
    "resources/things.py": RESOURCES,
    "types/things/replies.py": REPLIES,
    "types/things/params.py": PARAMS,
    "types/things/__init__.py": "",
}


def changed(file: str, *edits: tuple[str, str]) -> list[str]:
    text = BEFORE[file]
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return drift(BEFORE, {**BEFORE, file: text})


def test_nothing() -> None:
    assert drift(BEFORE, BEFORE) == []


def test_methods_and_parameters() -> None:
    found = changed(
        "resources/things.py",
        ("def parts", "def pieces"),
        ('"desc"', '"none"'),
        ("thing_id: str, *,", "thing_id: str, *, after: str | Omit = omit,"),
        ("name: str", "name: int"),
        ('"POST"', '"PUT"'),
    )
    rest = ", '/things', Thing, ThingEvent, _create, _create_streaming"
    assert [line.replace(rest, ", *") for line in found] == [
        "- resource things.parts",
        "+ resource things.pieces",
        "~ parameter things.create.(): streamed('POST', *) -> streamed('PUT', *)",
        "~ parameter things.create.name: str -> int",
        "+ parameter things.retrieve.after: str | Omit",
        "- value things.retrieve.order: 'desc'",
        "+ value things.retrieve.order: 'none'",
    ]
    assert changed("resources/things.py", ("def retrieve", "def get")) == [
        "+ method things.get",
        "- method things.retrieve",
    ]


def test_methods_by_hand() -> None:
    """Those of which a release has no more, or other ones, show like all."""
    wait = RESOURCES[RESOURCES.index("    @helper") : RESOURCES.index("    create")]
    assert changed("resources/things.py", (wait, "")) == ["- method things.wait"]
    assert changed("resources/things.py", ("every: float", "seconds: float"), ("lib.polling", "lib.waiting")) == [
        "~ parameter things.wait.(): helper('aiopenai.lib.polling:wait') -> helper('aiopenai.lib.waiting:wait')",
        "- parameter things.wait.every",
        "+ parameter things.wait.seconds: float",
    ]


def test_types_and_fields() -> None:
    found = changed(
        "types/things/replies.py", ("id: str", "key: str"), ("Thing | None", "Thing"), ('"large"', '"large", "huge"')
    )
    assert found == [
        "- field things.Thing.id",
        "+ field things.Thing.key: str",
        "~ field things.Thing.next: Thing | None -> Thing",
        "+ value things.Size: 'huge'",
    ]
    assert changed("types/things/params.py", ('"from": str', '"to": str')) == [
        "- field things.Reserved.from",
        "+ field things.Reserved.to: str",
    ]
    assert changed("types/things/params.py", ("Reserved = ", "Other = ")) == [
        "+ type things.Other",
        "- type things.Reserved",
    ]
