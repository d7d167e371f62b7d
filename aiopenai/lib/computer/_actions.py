"""The calls of the computer tool: the checks of their actions, and the answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from typing_extensions import TypedDict

from aiopenai._base.aliases import is_list, is_mapping

__all__ = ["ComputerActionInput", "ComputerUseError", "Screenshot", "answer_of", "check_call", "checked_screenshot"]

ComputerActionInput: TypeAlias = Any
"""An action of the model: an object with a `type` and the fields of that type, such as `x` and `y` of a click."""

_BUTTONS = ("left", "right", "wheel", "back", "forward")


class Screenshot(TypedDict, total=False):
    """The screen as an image: the type `computer_screenshot`, with the URL of an image or the id of a file."""

    type: str
    image_url: str
    file_id: str


class ComputerUseError(RuntimeError):
    """A run with a computer that stopped before its end. `response` is the last response, if there is one."""

    def __init__(self, message: str, response: Any = None) -> None:
        super().__init__(message)
        self.response = response

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.response)


def check_call(call: Mapping[str, Any]) -> None:
    """Raises ComputerUseError for a call, as plain values, that cannot be done or sent back."""
    if not isinstance(call.get("id"), str) or not isinstance(call.get("call_id"), str):
        raise ComputerUseError("A call of the computer needs `id` and `call_id`")
    if call.get("status") != "completed":
        raise ComputerUseError("A call of the computer did not complete")
    given = [name for name in ("action", "actions") if name in call]
    if len(given) != 1:
        # Servers that send both keys set one of them to null.
        raise ComputerUseError("A call of the computer has either `action` or `actions`")
    actions: Any = call["actions"] if given == ["actions"] else [call["action"]]
    if not is_list(actions) or not actions or not all(map(_is_action, actions)):
        raise ComputerUseError("A call of the computer has an action that is unknown, or lacks fields")
    checks: Any = call.get("pending_safety_checks", None if given == ["action"] else [])
    if not is_list(checks) or not all(map(_is_check, checks)):
        raise ComputerUseError("A call of the computer has invalid `pending_safety_checks`")


def checked_screenshot(screenshot: Any) -> dict[str, Any]:
    """Returns the result of a driver's `screenshot`. Raises ComputerUseError for others than a screenshot."""
    sources = (
        {}
        if not is_mapping(screenshot)
        else {name: screenshot[name] for name in ("image_url", "file_id") if screenshot.get(name) is not None}
    )
    filled = all(isinstance(source, str) and source.strip() for source in sources.values())
    if not sources or not filled or screenshot.get("type") != "computer_screenshot":
        raise ComputerUseError("`screenshot` of the driver returns a `computer_screenshot` with image_url or file_id")
    return {"type": "computer_screenshot", **sources}


def answer_of(call: Mapping[str, Any], screenshot: Any) -> dict[str, Any]:
    """Returns the input item that answers a call."""
    checks: list[Any] = call.get("pending_safety_checks") or []
    acknowledged = [{name: check.get(name) for name in ("id", "code", "message")} for check in checks]
    output = checked_screenshot(screenshot)
    return {
        "type": "computer_call_output",
        "call_id": call["call_id"],
        "output": output,
        "acknowledged_safety_checks": acknowledged,
    }


def _is_check(check: Any) -> bool:
    return (
        is_mapping(check)
        and isinstance(check.get("id"), str)
        and all(check.get(name) is None or isinstance(check[name], str) for name in ("code", "message"))
    )


def _is_whole(*numbers: Any) -> bool:
    return all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)


def _is_point(point: Any) -> bool:
    return is_mapping(point) and _is_whole(point.get("x"), point.get("y"))


def _are_keys(keys: Any) -> bool:
    return is_list(keys) and all(isinstance(key, str) for key in keys)


def _is_action(action: Any) -> bool:
    if not is_mapping(action) or (action.get("keys") is not None and not _are_keys(action["keys"])):
        return False
    kind: Any = action.get("type")
    if kind == "click":
        return _is_point(action) and action.get("button") in _BUTTONS
    if kind in ("double_click", "move"):
        return _is_point(action)
    if kind == "scroll":
        return _is_point(action) and _is_whole(action.get("scroll_x"), action.get("scroll_y"))
    if kind == "drag":
        return is_list(action.get("path")) and all(map(_is_point, action["path"]))
    if kind == "keypress":
        return _are_keys(action.get("keys"))
    return kind in ("screenshot", "wait") or (kind == "type" and isinstance(action.get("text"), str))
