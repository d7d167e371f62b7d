"""What type checkers make of the module's own client; see calls.py.

Never executed: test_typing.py hands it to mypy and pyright.
"""

from __future__ import annotations

from typing_extensions import reveal_type

import aiopenai
from aiopenai import chat, files, models
from aiopenai.types.chat import ChatCompletionMessageParam


def calls() -> None:
    aiopenai.api_key = "key"
    aiopenai.timeout = 5
    aiopenai.max_retries = 0
    aiopenai.default_headers = {"x": "y"}
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    reveal_type(aiopenai.chat.completions.create(model="gpt-4o", messages=messages))  # T: ChatCompletion
    reveal_type(chat.completions.create(model="m", messages=[], stream=True))  # T: Stream[ChatCompletionChunk]
    reveal_type(aiopenai.models.list())  # T: SyncPage[Model]
    reveal_type(models.retrieve("m"))  # T: Model
    reveal_type(files.retrieve("f"))  # T: FileObject
    reveal_type(aiopenai.embeddings.create(model="m", input="x").data[0].embedding)  # T: list[float]
    reveal_type(aiopenai.embeddings.create(model="m", input="x").data[0].as_array())  # T: array[float]
    reveal_type(aiopenai.responses.with_raw_response.retrieve("r").parse())  # T: Response
    aiopenai.chat.completions.create(model="gpt-4o")  # E
    print(aiopenai.no_such_thing)  # E
