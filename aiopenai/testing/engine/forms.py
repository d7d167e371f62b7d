"""The fields and files of `multipart/form-data` requests, as values to check like JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.multipart import Part
from aiopenai.testing.engine.params import Param, check, missing
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object

__all__ = ["Form", "read_form", "read_form_or_json"]


class Form(NamedTuple):
    """The fields of a request (`name[]` is an array, `name[key]` an object), and its files by field name."""

    fields: Object
    files: dict[str, list[Part]]

    def file(self, name: str) -> Part:
        """Returns the file of a field. Raises `ApiError` 400 for a field without a file, or with text in its place."""
        if found := self.files.get(name):
            return found[0]
        if name in self.fields:
            message = f"Expected {name} to be a file upload with a filename."
            raise ApiError(400, message, param=name, code="invalid_type")
        raise missing(name)


def read_form(call: Call, params: Mapping[str, Param], required: tuple[str, ...] = ()) -> Form:
    """Reads a form, and converts its texts to the types in `params`.

    Raises `ApiError` 400 for a body that is no form, and for an invalid field.
    """
    try:
        parts = call.request.multipart()
    except ValueError as exc:
        raise ApiError(400, f"We could not parse the multipart body of your request: {exc}.") from exc
    form = Form({}, {})
    for part in parts:
        name, bracket, key = part.name.partition("[")
        key = key.removesuffix("]")
        if part.filename is not None:
            form.files.setdefault(name, []).append(part)
            continue
        value = _value(part.data.decode("utf-8", "replace"), params.get(name))
        old: Any = form.fields.get(name)
        if bracket and key and not key.isdecimal():
            form.fields[name] = {**(old if is_object(old) else {}), key: value}
        elif bracket:
            form.fields[name] = [*(old if is_array(old) else ()), value]
        else:
            form.fields[name] = value
    check(form.fields, params, required)
    return form


def read_form_or_json(call: Call, params: Mapping[str, Param], required: tuple[str, ...] = ()) -> Form:
    """Reads a form, or a JSON body, which has no files."""
    if call.request.headers.get("content-type", "").startswith("multipart/"):
        return read_form(call, params, required)
    body = call.body()
    check(body, params, required)
    return Form(body, {})


def _value(text: str, param: Param | None) -> Any:
    """Returns the text of a field as the JSON value that it writes, or unchanged where it writes none."""
    if param is None or str in param.kinds:
        return text
    try:
        if float in param.kinds:
            return float(text)
        if int in param.kinds:
            return int(text)
    except ValueError:
        return text
    if bool in param.kinds and text in ("true", "false"):
        return text == "true"
    return text
