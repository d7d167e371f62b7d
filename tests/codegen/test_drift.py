"""What `--check` prints: names that came and went, and types that changed."""

from __future__ import annotations

from aiopenai._codegen.drift import drift

MODULE = '''
class Things(SyncAPIResource):
    """`client.things`"""
    parts = child("Parts")
    @api.get("/things/{thing_id}", Thing)
    def retrieve(self, thing_id, *, order=omit): ...
    @api.streamed("POST", "/things", Thing, ThingEvent)
    def create(self, *, name, stream=omit): ...
    @api.helper("aiopenai.lib.polling:wait")
    def wait(self, part_id, *, every=1.5): ...
'''
STUB = '''
class Things(SyncAPIResource):
    """`client.things`"""
    def retrieve(self, thing_id: int, *, only_here: str) -> Thing: ...
class AsyncThings(AsyncAPIResource):
    """`client.things`"""
    @cached_property
    def parts(self) -> AsyncParts: ...
    async def retrieve(self, thing_id: str, *, order: Literal["asc", "desc"] | Omit = omit,
        retry: X = None) -> Thing: ...
    @overload
    async def create(self, *, name: str) -> Thing: ...
    @overload
    async def create(self, *, name: str, stream: Literal[True]) -> AsyncStream[ThingEvent]: ...
    async def wait(self, part_id: str, *, every: float = 1.5, timeout: X = y) -> Thing: ...
class AsyncThingsWithRawResponse:
    """`client.things`, with replies that have their headers."""
    async def retrieve(self, thing_id: bytes) -> LegacyAPIResponse[Thing]: ...
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
    "resources/things.py": MODULE,
    "resources/things.pyi": STUB,
    "resources/_modules.txt": "things things Things",
    "types/things/replies.py": REPLIES,
    "types/things/params.py": PARAMS,
    "types/things/__init__.py": "",
}


def changed(*edits: tuple[str, str]) -> list[str]:
    """The differences after edits, each in all files."""
    after = dict(BEFORE)
    for before, now in edits:
        assert any(before in text for text in after.values())
        after = {file: text.replace(before, now) for file, text in after.items()}
    return drift(BEFORE, after)


def test_nothing() -> None:
    assert drift(BEFORE, BEFORE) == []


def test_methods_and_parameters() -> None:
    found = changed(
        ('parts = child("Parts")', 'pieces = child("Parts")'),
        ('"desc"', '"none"'),
        ("thing_id: str, *,", "thing_id: str, *, after: str | Omit = omit,"),
        ("name: str", "name: int"),
        ('"POST"', '"PUT"'),
    )
    assert found == [
        "- resource things.parts",
        "+ resource things.pieces",
        "~ parameter things.create.(): streamed('POST', {0}) -> streamed('PUT', {0})".format(
            "'/things', Thing, ThingEvent"
        ),
        "~ parameter things.create.name: str -> int",
        "+ parameter things.retrieve.after: str | Omit",
        "- value things.retrieve.order: 'desc'",
        "+ value things.retrieve.order: 'none'",
    ]
    assert changed(("def retrieve", "def get")) == ["+ method things.get", "- method things.retrieve"]


SOCKETS = '''
class ThingsConnection(SyncConnection):
    """A connection of `client.things.connect`."""
    _event = ("aiopenai.types.things", "ServerEvent")
    session = part("ThingsSessionResource")

class ThingsConnectionManager(SyncConnectionManager):
    """The result of `client.things.connect`."""
    _opens = "ThingsConnection"

class ThingsSessionResource(BaseThingsConnectionResource):
    items = part("ThingsSessionItemResource")
    @sends("session.update")
    def update(self, *, session): ...

class ThingsSessionItemResource(BaseThingsConnectionResource):
    @sends("item.create")
    def create(self, *, item): ...
'''
SOCKET_STUB = """
class AsyncThingsSessionResource(BaseAsyncThingsConnectionResource):
    async def update(self, *, session: SessionParam) -> None: ...
class AsyncThingsSessionItemResource(BaseAsyncThingsConnectionResource):
    async def create(self, *, item: Literal["a", "b"]) -> None: ...
"""


def test_connections() -> None:
    """Their parts have paths too, though many connections have a part and a method of the same name."""
    before = {"resources/things/_connections.py": SOCKETS, "resources/things/_connections.pyi": SOCKET_STUB}
    edits = (("item: Literal", "thing: Literal"), ("*, item)", "*, thing)"), ('"item.create"', '"item.make"'))
    after = {
        file: text.replace(*edits[0]).replace(*edits[1]).replace(*edits[2]).replace('"session.update"', '"update"')
        for file, text in before.items()
    }
    assert drift(before, before) == []
    assert drift(before, after) == [
        "~ parameter things.connect.session.items.create.(): sends('item.create') -> sends('item.make')",
        "- parameter things.connect.session.items.create.item",
        "+ parameter things.connect.session.items.create.thing: Literal",
        "~ parameter things.connect.session.update.(): sends('session.update') -> sends('update')",
    ]
    assert [line for line in drift({}, before) if "resource" in line] == [
        "+ resource things.connect.session",
        "+ resource things.connect.session.items",
    ]


def test_methods_by_hand() -> None:
    """Those that a release no longer has, or has otherwise, show like all."""
    wait = MODULE[MODULE.index("    @api.helper") :]
    line = next(each for each in STUB.splitlines() if "def wait" in each)
    assert changed((wait, ""), (line, "")) == ["- method things.wait"]
    assert changed(("every: float", "seconds: float"), ("lib.polling", "lib.waiting")) == [
        "~ parameter things.wait.(): helper('aiopenai.lib.polling:wait') -> helper('aiopenai.lib.waiting:wait')",
        "- parameter things.wait.every",
        "+ parameter things.wait.seconds: float",
    ]


def test_types_and_fields() -> None:
    found = changed(("    id: str", "    key: str"), ("Thing | None", "Thing"), ('"large"', '"large", "huge"'))
    assert found == [
        "- field things.Thing.id",
        "+ field things.Thing.key: str",
        "~ field things.Thing.next: Thing | None -> Thing",
        "+ value things.Size: 'huge'",
    ]
    assert changed(('"from": str', '"to": str')) == [
        "- field things.Reserved.from",
        "+ field things.Reserved.to: str",
    ]
    assert changed(("Reserved = ", "Other = ")) == [
        "+ type things.Other",
        "- type things.Reserved",
    ]
