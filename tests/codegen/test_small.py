"""The generator on an interface of a few lines, so that each rule can be seen by itself. Needs no reference."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from aiopenai._codegen.generate import generate
from aiopenai._codegen.helpers import HELPERS, NAMES, PREPARED, Helper
from aiopenai._codegen.source import Source, SourceError
from aiopenai._codegen.words import Words

CLIENT = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .resources.things import AsyncThings

class AsyncOpenAI:
    @cached_property
    def things(self) -> AsyncThings: ...
"""
RESOURCES = """
from __future__ import annotations
from typing import Union, Literal, Iterable
from ..types import thing_create_params, thing_list_params
from .._types import omit, Omit, FileTypes
from .._streaming import AsyncStream
from ..pagination import AsyncCursorPage
from ..types.thing import Thing
from ..types.thing_event import ThingEvent
from ..types.part_param import PartParam
from ..types.parsed_event import ParsedEvent

class AsyncThings(AsyncAPIResource):
    @overload
    async def create(self, *, parts: Iterable[PartParam], name: str, stream: Literal[False] | Omit = omit,
                     retries: int | Omit = omit, extra_headers: Headers | None = None) -> Thing: ...
    @overload
    async def create(self, *, parts: Iterable[PartParam], name: str, stream: Literal[True],
                     retries: int | Omit = omit) -> AsyncStream[ThingEvent]: ...
    @overload
    async def create(self, *, parts: Iterable[PartParam], name: str, stream: bool,
                     retries: int | Omit = omit) -> Thing | AsyncStream[ThingEvent]: ...
    @required_args(["name"])
    async def create(self, *, parts: Iterable[PartParam], name: str, stream: bool | Omit = omit,
                     retries: int | Omit = omit) -> Thing | AsyncStream[ThingEvent]:
        extra_headers = {**strip_not_given({"X-Retries": retries}), **(extra_headers or {})}
        return await self._post("/things", body=await async_maybe_transform(
            {"parts": parts, "from": name, "stream": stream}, thing_create_params.ThingCreateParams),
            options=make_request_options(security={"admin_api_key_auth": True}), cast_to=Thing,
            stream=stream or False, stream_cls=AsyncStream[ThingEvent])

    def list(self, thing_id: str, *, ids: List[str] | Omit = omit) -> AsyncPaginator[Thing, AsyncCursorPage[Thing]]:
        return self._get_api_list(path_template("/things/{thing_id}/all", thing_id=thing_id),
            page=AsyncCursorPage[Thing], options=make_request_options(query=maybe_transform(
                {"ids": ids}, thing_list_params.ThingListParams)), model=Thing)

    async def delete(self, thing_id: str, *, force: bool | Omit = omit) -> None:
        extra_headers = {"Accept": "*/*", **(extra_headers or {})}
        return await self._delete(path_template("/things/{id}", id=thing_id),
            body=await async_maybe_transform({"force": force}, X), options=make_request_options(), cast_to=NoneType)

    async def upload(self, *, file: FileTypes) -> Thing:
        body = deepcopy_with_paths({"file": file}, [["file"]])
        files = extract_files(cast(Mapping[str, object], body), paths=[["file", "<array>"]])
        return await self._put("/things", body=maybe_transform(body, Y), files=files,
            options=make_request_options(), cast_to=Thing)

    async def wait(self, thing_id: str) -> Thing:
        return await self.upload(file=b"")
"""
TYPES = {
    "types/__init__": """
        from .thing import Thing as Thing
        from .thing_event import ThingEvent as ThingEvent
        from .part_param import PartParam as PartParam
        from .thing_list_params import ThingListParams as ThingListParams
        from .thing_create_params import ThingCreateParams as ThingCreateParams
        """,
    "types/thing": """
        from typing import Dict, List, Union, Optional
        from pydantic import Field as FieldInfo
        from typing_extensions import Literal, TypeAlias, Annotated
        from .._models import BaseModel
        from .._utils import PropertyInfo

        class Circle(BaseModel):
            kind: Literal["circle"]
            radius: float

        class Square(BaseModel):
            kind: Literal["square"]
            side: float

        class Left(BaseModel):
            left: str

        class Right(BaseModel):
            right: str

        class OtherLeft(BaseModel):
            left: str

        Shape: TypeAlias = Annotated[Union[Circle, Square], PropertyInfo(discriminator="kind")]

        class Thing(BaseModel):
            object: Literal["thing"]
            shape: Shape
            side: Union[Left, Right, None]
            data: Dict[str, object]
            children: Optional[List["Thing"]] = None
            lists: Union[List[str], List[int]]
            schema_: Optional[str] = FieldInfo(alias="schema", default=None)
            other: OtherLeft
            embedding: List[float]
        """,
    "types/thing_event": """
        from .thing import Thing
        from .._models import BaseModel

        class Base(BaseModel):
            id: Optional[str] = None

        class ThingEvent(Base):
            id: str
            thing: Thing
        """,
    "types/parsed_event": """
        from typing import TYPE_CHECKING, Generic, List, Optional, TypeVar
        from .thing import Left as Side
        from .thing_event import ThingEvent
        from .._models import BaseModel, GenericModel
        from .thing_list_params import ThingListParams

        __all__ = ["ParsedEvent", "Side"]

        Content = TypeVar("Content")

        class Part(GenericModel, BaseModel, Generic[Content]):
            parsed: Optional[Content] = None

        class ParsedEvent(ThingEvent, GenericModel, Generic[Content]):
            if TYPE_CHECKING:
                parts: List[Part[Content]]
            else:
                parts: List[Part]
            __pydantic_extra__: Dict[str, object]
        """,
    "types/part_param": """
        from __future__ import annotations
        from typing import Union, Iterable
        from typing_extensions import Literal, Required, TypeAlias, TypedDict

        _TextReservedKeywords = TypedDict("_TextReservedKeywords", {"async": bool}, total=False)

        class Text(_TextReservedKeywords, total=False):
            text: Required[str]

        class Group(TypedDict, total=False):
            parts: Iterable[PartParam]

        PartParam: TypeAlias = Union[str, Text, Group]
        """,
    "types/thing_create_params": """
        from __future__ import annotations
        class ThingCreateParams(TypedDict, total=False):
            name: Required[str]
            parts: Required[Iterable[PartParam]]
        from typing_extensions import Required, TypedDict
        from typing import Iterable
        from .part_param import PartParam
        """,
    "types/thing_list_params": """
        from typing_extensions import TypedDict
        from .._types import SequenceNotStr
        class ThingListParams(TypedDict, total=False):
            ids: SequenceNotStr[str]
        """,
}


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    files = {"_client": CLIENT, "_version": '__version__ = "1.2.3"', "resources/things": RESOURCES, **TYPES}
    for empty in ("__init__", "_types", "_models", "_utils", "_streaming", "pagination", "resources/__init__"):
        files[empty] = "BaseModel = Omit = omit = FileTypes = AsyncStream = AsyncCursorPage = SequenceNotStr = object"
    for name, text in files.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


@pytest.fixture
def files(reference: Path) -> dict[str, str]:
    return generate(Source(reference), None)


def test_files(files: dict[str, str]) -> None:
    assert sorted(files) == [
        "resources/__init__.py",
        "resources/__init__.pyi",
        "resources/_modules.txt",
        "resources/things.py",
        "resources/things.pyi",
        "types/__init__.py",
        "types/__init__.pyi",
        "types/_modules.txt",
        "types/things/__init__.py",
        "types/things/__init__.pyi",
        "types/things/params.py",
        "types/things/replies.py",
    ]
    for path, text in files.items():
        if path.endswith(".txt"):
            continue
        compile(text, path, "exec")
        assert "from openai 1.2.3; do not edit." in text


@pytest.mark.parametrize(
    "line",
    [
        # Variants that a constant tells apart are msgspec's own; the others go through our decoder.
        'class ThingCircle(Model, tag_field="kind", tag="circle", bulk=True):',
        "ThingShape: TypeAlias = ThingCircle | ThingSquare",
        'ThingSide = one_of("ThingSide", (ThingSide,))',
        'ThingLists = one_of("ThingLists", (ThingLists,))',
        "    lists: ThingLists\n",
        "    side: ThingSide | None\n",
        # `object` is a field of the class, `Thing` is not defined yet.
        "    data: dict[str, builtins.object]\n",
        '    children: "list[Thing] | None" = None\n',
        '    schema_: str | None = field(default=None, name="schema")\n',
        # Equal classes that nobody can name are one.
        "    other: ThingLeft\n",
        "    id: str  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]\n",
        'Content = TypeVar("Content")\n',
        "class ParsedEventPart(Model, Generic[Content]):\n    parsed: Content | None = None\n",
        # What type checkers see, and nothing that is a setting.
        "class ParsedEvent(ThingEvent, Generic[Content]):\n    parts: list[ParsedEventPart[Content]]\n",
    ],
)
def test_replies(files: dict[str, str], line: str) -> None:
    assert line in files["types/things/replies.py"]


def test_names_that_a_module_has_from_another(files: dict[str, str]) -> None:
    assert "parsed_event things Part=ParsedEventPart ParsedEvent Side=ThingLeft\n" in files["types/_modules.txt"]
    assert files["resources/_modules.txt"] == ""


@pytest.mark.parametrize(
    "line",
    [
        '_TextReservedKeywords = TypedDict("_TextReservedKeywords", {"async": bool}, total=False)',
        "class PartParamText(_TextReservedKeywords, total=False):\n    text: Required[str]\n",
        "    parts: Iterable[PartParam]\n",
        "PartParam: TypeAlias = str | PartParamText | PartParamGroup",
    ],
)
def test_params(files: dict[str, str], line: str) -> None:
    assert line in files["types/things/params.py"]


@pytest.mark.parametrize(
    "line",
    [
        (
            '@api.streamed("POST", "/things", Thing, ThingEvent, header_params={"retries": "X-Retries"}, '
            'security="admin", wire={"name": "from"}) def create(self, *, parts, name, stream=omit, retries=omit): ...'
        ),
        '@api.cursor_page("/things/{thing_id}/all", Thing) def list(self, thing_id, *, ids=omit): ...',
        '@api.delete("/things/{thing_id}", None, body=("force",), accept="*/*")',
        '@api.put("/things", Thing, files=("file[]",), or_object=())',
        "__getattr__, __dir__ = family(__name__)",
    ],
)
def test_resources(files: dict[str, str], line: str) -> None:
    # Wherever the lines are broken.
    assert line in " ".join(files["resources/things.py"].split())
    assert "def wait" not in files["resources/things.py"]


OPTIONS = "extra_headers: Headers | None = None, "


@pytest.mark.parametrize(
    "line",
    [
        "class Things(SyncAPIResource):",
        "class AsyncThings(AsyncAPIResource):",
        "class AsyncThingsWithStreamingResponse:",
        (
            "@overload async def create(self, *, parts: Iterable[PartParam], name: str, "
            f"stream: Literal[False] | Omit = omit, retries: int | Omit = omit, {OPTIONS}"
        ),
        "@overload def create(self, *, parts: Iterable[PartParam], name: str, stream: Literal[True], ",
        "-> Thing | AsyncStream[ThingEvent]:",
        "-> Thing | Stream[ThingEvent]:",
        "-> LegacyAPIResponse[Thing | Stream[ThingEvent]]:",
        "-> AsyncResponseContextManager[Thing | AsyncStream[ThingEvent]]:",
        f"def list(self, thing_id: str, *, ids: builtins.list[str] | Omit = omit, {OPTIONS}",
        "-> AsyncPaginator[Thing, AsyncCursorPage[Thing]]:",
        "-> SyncCursorPage[Thing]:",
        "-> LegacyAPIResponse[AsyncCursorPage[Thing]]:",
        "def with_raw_response(self) -> AsyncThingsWithRawResponse: ...",
    ],
)
def test_stubs(files: dict[str, str], line: str) -> None:
    assert line in " ".join(files["resources/things.pyi"].split())


def test_words(reference: Path) -> None:
    words = Words(
        methods={"things.create": "Creates a thing.", "things.gone": "Gone."},
        parameters={"things.create.name": "The thing's name."},
        dictionary={"name": "Another name.", "thing_id": "The thing's id.", "nobody": "Of no method."},
        types={"things.Thing": "A thing."},
        fields={"things.Thing.shape": "Round or not."},
    )
    files = generate(Source(reference), None, words)
    stub = files["resources/things.pyi"]
    full = """        \"\"\"Creates a thing.

        `POST /things`

        Args:
            name: The thing's name.
        \"\"\"
"""
    # In both clients, with each of the three signatures; views have the sentence alone.
    assert stub.count(full) == 6
    assert stub.count('        """Creates a thing."""\n') == 18
    assert stub.count("            thing_id: The thing's id.\n") == 4
    assert '        """Creates a thing."""\n' in files["resources/things.py"]
    replies = files["types/things/replies.py"]
    assert 'bulk=True):\n    """A thing."""\n' in replies
    assert '    shape: ThingShape\n    """Round or not."""\n' in replies
    assert words.unknown() == ["methods.txt: things.gone"]
    assert words.silent == {"things.delete", "things.list", "things.upload"}


def test_deprecated_methods(reference: Path) -> None:
    path = reference / "resources/things.py"
    text = path.read_text().replace(
        "    async def upload", '    @typing_extensions.deprecated("Gone")\n    async def upload'
    )
    path.write_text(text)
    files = generate(Source(reference), None)
    stub = files["resources/things.pyi"]
    assert stub.count('    @deprecated("This method is deprecated.")\n') == 8
    assert "Deprecated: This method is deprecated." in stub
    assert files["resources/things.py"].count('deprecated="This method is deprecated."') == 1


WAIT = "    async def wait(self, thing_id: str) -> Thing:\n"
# The reference's signature, what is known of the method, and what is written.
BY_HAND: dict[str, tuple[str, Helper, tuple[str, ...]]] = {
    "several calls": (
        "async def wait(self, thing_id: str, *, every: float = 1.5, parts: Iterable[PartParam] | Omit = omit) -> X:",
        Helper("helper", "aiopenai.lib.polling:wait", "Thing"),
        (
            '@api.helper("aiopenai.lib.polling:wait") def wait(self, thing_id, *, every=1.5, parts=omit): ...',
            "async def wait(self, thing_id: str, *, every: float = 1.5, parts: Iterable[PartParam] | Omit = omit, ",
            "def wait(self, thing_id: str, *, every: float = 1.5, ",
        ),
    ),
    "other types and more": (
        "async def wait(self, *, thing: Left, ids: List[str] = []) -> X:",
        Helper(
            "managed",
            "aiopenai.lib.streaming:wait",
            "AsyncThing",
            {"thing": "PathLike[str] | Thing"},
            {"seen": ("Callable[[int], object] | None", "None")},
        ),
        (
            '@api.managed("aiopenai.lib.streaming:wait") def wait(self, *, thing, ids=(), seen=None): ...',
            (
                "def wait(self, *, thing: PathLike[str] | Thing, ids: builtins.list[str] = (), "
                "seen: Callable[[int], object] | None = None, "
            ),
            "-> AsyncThing:",
            "-> Thing:",
        ),
    ),
    "no call": (
        "def wait(self, thing_id: str, *, secret: str | None = None) -> X:",
        Helper("plain", "aiopenai.lib.things:wait", "Thing"),
        (
            '@api.plain("aiopenai.lib.things:wait") def wait(self, thing_id, *, secret=None): ...',
            "def wait(self, thing_id: str, *, secret: str | None = None) -> Thing:",
        ),
    ),
    "one call, prepared": (
        "async def wait(self, *, name: str, side: str | Omit = omit) -> X:",
        Helper("post", "aiopenai.lib.things:prepare", "Thing"),
        # Sent as `create` sends.
        (
            (
                '@api.post("/things", Thing, prepare="aiopenai.lib.things:prepare", '
                'header_params={"retries": "X-Retries"}, security="admin", '
                'wire={"name": "from"}) def wait(self, *, name, side=omit): ...'
            ),
            "async def wait(self, *, name: str, side: str | Omit = omit, ",
            "-> LegacyAPIResponse[Thing]:",
        ),
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_methods_by_hand(reference: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    signature, helper, expected = BY_HAND[case]
    path = reference / "resources/things.py"
    text = path.read_text()
    assert WAIT in text
    path.write_text(text.replace(WAIT, f"    {signature}\n"))
    monkeypatch.setitem(HELPERS, "things.wait", helper)
    monkeypatch.setitem(NAMES, "Thing", "aiopenai.types.things")
    monkeypatch.setitem(NAMES, "AsyncThing", "aiopenai.types.things")
    files = generate(Source(reference), None)
    found = " ".join(" ".join(files[f"resources/things.{kind}"].split()) for kind in ("py", "pyi"))
    for line in expected:
        assert line in found


def test_prepared(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREPARED, "things.upload", "aiopenai.lib.things:prepare")
    found = generate(Source(reference), None)["resources/things.py"]
    assert '@api.put("/things", Thing, files=("file[]",), or_object=(), prepare="aiopenai.lib.things:prepare")' in found


def test_a_release_without_the_methods_by_hand(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of a method that there is not, or not yet, changes nothing."""
    before = generate(Source(reference), None)
    gone = Helper("helper", "aiopenai.lib.polling:gone", "Gone", {"gone": "Gone"}, {"seen": ("int", "0")})
    monkeypatch.setitem(HELPERS, "things.gone", gone)
    monkeypatch.setitem(HELPERS, "gone.things", gone)
    monkeypatch.setitem(PREPARED, "things.gone", "aiopenai.lib.things:prepare")
    assert generate(Source(reference), None) == before


@pytest.mark.parametrize(
    ("module", "before", "after", "message"),
    [
        ("types/thing", "shape: Shape", "shape: Callable[[], Shape]", "unknown annotation"),
        ("types/thing", "class Left(BaseModel)", "class Left(Exception)", "unknown base"),
        ("types/thing", "OtherLeft\n", "Missing\n", "Missing"),
        ("resources/things", '{"force": force}', "{}", "the place of force in the request is unknown"),
        ("resources/things", "page=AsyncCursorPage[Thing]", "page=AsyncCursorPage", "unknown page"),
        ("resources/things", "ids: List[str] | Omit = omit", "ids: List[str] = f()", "unknown default"),
        ("_client", "AsyncOpenAI", "OpenAI", "no such class"),
        ("_version", "__version__", "version", "__version__"),
    ],
)
def test_what_is_not_known_is_an_error(reference: Path, module: str, before: str, after: str, message: str) -> None:
    path = reference / f"{module}.py"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(SourceError, match=message):
        generate(Source(reference), None)
