"""Pydantic's types for tests; imported only where pydantic is installed."""

# ruff: noqa: UP006, UP007, UP035, UP045

import datetime
import decimal
import enum
import uuid
from typing import Annotated, Any, Dict, Generic, List, Literal, Optional, Set, Tuple, TypeVar, Union

import pydantic
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

T = TypeVar("T")


class Color(enum.Enum):
    red = "r"
    green = "g"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Inner(BaseModel):
    """An inner object."""

    value: int = Field(description="its value")


class Tree(BaseModel):
    value: int
    children: List["Tree"] = []
    parent: Optional["Tree"] = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    friend: Inner


class Everything(BaseModel):
    """A model of all that there is."""

    plain: Inner
    described: Inner = Field(description="said of the reference")
    optional: Optional[Inner] = None
    color: Color = Field(Color.red, description="a color")
    level: Level
    literal: Literal["a", "b"] = "a"
    mapping: Dict[str, int] = {}
    objects: Dict[str, Inner]
    free: Dict[str, Any] = {}
    anything: Any = None
    union: Union[Cat, Dog]
    tagged: Annotated[Union[Cat, Dog], Field(discriminator="kind")]
    renamed: int = Field(alias="theName", ge=3, le=9)
    pair: Tuple[int, str]
    many: Tuple[Inner, ...] = ()
    letters: Set[str] = set()
    nothing: None = None
    three: Optional[int] = 3
    mixed: List[Union[Cat, Dog, None]]


class Other(BaseModel):
    when: datetime.datetime
    day: Optional[datetime.date]
    id: uuid.UUID
    price: decimal.Decimal
    data: bytes
    code: Annotated[str, Field(pattern="^a", max_length=3)]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Another title", json_schema_extra={"default": None})
    a: int


class Empty(BaseModel):
    pass


class Parts(BaseModel):
    one: int = Field(json_schema_extra={"allOf": [{"type": "string", "properties": {"q": {"type": "object"}}}]})
    two: int = Field(json_schema_extra={"allOf": [{"type": "string"}, {"type": "object"}]})


class Box(BaseModel, Generic[T]):
    item: T
    items: List[T]


class Row(TypedDict):
    a: int
    b: NotRequired[str]


class Table(BaseModel):
    rows: List[Row]


class Child(Inner):
    twin: Inner = Field(default=Inner(value=1), title="Twin")


class Deep(BaseModel):
    one: Everything
    many: List[Everything]
    other: Everything = Field(description="inlined")


@pydantic.dataclasses.dataclass
class Point:
    x: int
    inner: Inner = Field(description="of a dataclass")
    label: Optional[str] = None


class Roots(pydantic.RootModel[List[Inner]]):
    pass


class Endless(BaseModel):
    again: "Endless" = Field(description="of itself")


class Step(BaseModel):
    explanation: str
    output: str


class Solution(BaseModel):
    steps: List[Step]
    answer: str


MODELS = [Everything, Other, Open, Closed, Empty, Parts, Box[int], Box[Inner], Table, Child, Deep, Roots, Tree, Inner]
ACCEPTED = [Open, Empty, Box[int], Box[Inner], Table, Inner, Solution]
"""Models whose schemas have no keyword that the API refuses."""
