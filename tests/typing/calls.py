"""What type checkers make of calls. `# T:` is the type revealed on the line, `# E` a line that must not pass.

Never executed: test_typing.py hands it to mypy and pyright.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

from pathlib import Path

from typing_extensions import reveal_type

from aiopenai import AsyncOpenAI
from aiopenai._base.sentinels import omit
from aiopenai.types import ModerationMultiModalInputParam
from aiopenai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam


async def chat(client: AsyncOpenAI, streaming: bool) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    completion = await client.chat.completions.create(model="gpt-4o", messages=messages, timeout=5, max_retries=1)
    reveal_type(completion)  # T: ChatCompletion
    reveal_type(completion.choices[0].message.content)  # T: str | None
    reveal_type(completion.usage)  # T: CompletionUsage | None
    for call in completion.choices[0].message.tool_calls or []:
        if call.type == "function":
            reveal_type(call)  # T: ChatCompletionMessageFunctionToolCall
            reveal_type(call.function.arguments)  # T: str
        else:
            reveal_type(call.custom.input)  # T: str

    stream = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
    reveal_type(stream)  # T: AsyncStream[ChatCompletionChunk]
    async for chunk in stream:
        reveal_type(chunk)  # T: ChatCompletionChunk
        reveal_type(chunk.choices[0].delta.content)  # T: str | None
    either = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=streaming)
    reveal_type(either)  # T: ChatCompletion | AsyncStream[ChatCompletionChunk]
    plain = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=False, temperature=None)
    reveal_type(plain)  # T: ChatCompletion
    omitted = await client.chat.completions.create(model="gpt-4o", messages=messages, temperature=omit, user=omit)
    reveal_type(omitted)  # T: ChatCompletion

    tools: list[ChatCompletionToolUnionParam] = [{"type": "function", "function": {"name": "f"}}]
    await client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
        ],
        tools=tools,
        response_format={"type": "json_object"},
        extra_headers={"x-trace": "1"},
    )
    reveal_type(await client.chat.completions.retrieve("id"))  # T: ChatCompletion
    reveal_type(await client.chat.completions.update("id", metadata={"k": "v"}))  # T: ChatCompletion
    reveal_type(await client.chat.completions.delete("id"))  # T: ChatCompletionDeleted
    async for message in client.chat.completions.messages.list("id", limit=3):
        reveal_type(message)  # T: ChatCompletionStoreMessage
        reveal_type(message.content)  # T: str | None


async def responses(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="gpt-4o", input="Hello")
    reveal_type(response)  # T: Response
    reveal_type(response.output_text)  # T: str
    for item in response.output:
        if item.type == "message":
            reveal_type(item)  # T: ResponseOutputMessage
        elif item.type == "function_call":
            reveal_type(item.arguments)  # T: str
    async for event in await client.responses.create(model="gpt-4o", input=[], stream=True):
        if event.type == "response.output_text.delta":
            reveal_type(event)  # T: ResponseTextDeltaEvent
            reveal_type(event.delta)  # T: str
    reveal_type(await client.responses.retrieve("id"))  # T: Response
    async for event in await client.responses.retrieve("id", stream=True, starting_after=3):
        reveal_type(event.sequence_number)  # T: int
    reveal_type(await client.responses.delete("id"))  # T: None
    reveal_type(await client.responses.compact(model="gpt-4o"))  # T: CompactedResponse
    reveal_type(await client.responses.input_tokens.count())  # T: InputTokenCountResponse
    reveal_type(await client.responses.cancel("id"))  # T: Response
    await client.responses.create(
        model="gpt-4o",
        input=[
            {"role": "user", "content": "x"},
            {"type": "function_call_output", "call_id": "1", "output": "2"},
        ],
        tools=[{"type": "web_search_preview"}],
        include=["reasoning.encrypted_content"],
    )


async def others(client: AsyncOpenAI) -> None:
    reveal_type(await client.completions.create(model="x", prompt="y"))  # T: Completion
    reveal_type(await client.completions.create(model="x", prompt="y", stream=True))  # T: AsyncStream[Completion]
    embeddings = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    reveal_type(embeddings.data[0].embedding)  # T: list[float]
    await client.embeddings.create(model="x", input=[[1, 2], [3]])
    reveal_type(await client.models.retrieve("gpt-4o"))  # T: Model
    reveal_type(await client.models.delete("ft:x"))  # T: ModelDeleted
    parts: list[ModerationMultiModalInputParam] = [{"type": "text", "text": "x"}]
    moderated = await client.moderations.create(input=parts)
    reveal_type(moderated.results[0].flagged)  # T: bool


async def files(client: AsyncOpenAI) -> None:
    reveal_type(await client.files.create(file=Path("a.jsonl"), purpose="batch"))  # T: FileObject
    reveal_type(await client.files.create(file=b"data", purpose="evals"))  # T: FileObject
    expiring = await client.files.create(
        file=("a.txt", b"x", "text/plain"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    reveal_type(expiring.expires_at)  # T: int | None
    reveal_type(await client.files.retrieve("id"))  # T: FileObject
    reveal_type(await client.files.content("id"))  # T: HttpxBinaryResponseContent
    reveal_type(await client.files.retrieve_content("id"))  # T: str


async def pages(client: AsyncOpenAI) -> None:
    page = await client.files.list(limit=10, order="asc")
    reveal_type(page)  # T: AsyncCursorPage[FileObject]
    reveal_type(page.data)  # T: list[FileObject]
    async for file in client.files.list():
        reveal_type(file)  # T: FileObject
    reveal_type(await client.models.list())  # T: AsyncPage[Model]
    async for item in client.responses.input_items.list("id"):
        if item.type == "function_call_output":
            reveal_type(item)  # T: ResponseFunctionToolCallOutputItem


async def views(client: AsyncOpenAI, streaming: bool) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="x", messages=[])
    reveal_type(raw)  # T: LegacyAPIResponse[ChatCompletion]
    reveal_type(raw.parse())  # T: ChatCompletion
    raw_stream = await client.chat.completions.with_raw_response.create(model="x", messages=[], stream=True)
    reveal_type(raw_stream.parse())  # T: AsyncStream[ChatCompletionChunk]
    reveal_type(await client.files.with_raw_response.retrieve("id"))  # T: LegacyAPIResponse[FileObject]
    reveal_type(await client.files.with_raw_response.list())  # T: LegacyAPIResponse[AsyncCursorPage[FileObject]]
    reveal_type(await client.chat.with_raw_response.completions.retrieve("id"))  # T: LegacyAPIResponse[ChatCompletion]
    async with client.files.with_streaming_response.content("id") as body:
        reveal_type(body)  # T: AsyncAPIResponse[HttpxBinaryResponseContent]
    async with client.responses.with_streaming_response.create(model="x", input="y") as reply:
        reveal_type(await reply.parse())  # T: Response


def requests(client: AsyncOpenAI) -> None:
    reveal_type(client.files.as_request.retrieve("id"))  # T: Request[FileObject]
    reveal_type(client.as_request.files.list())  # T: Request[AsyncCursorPage[FileObject]]
    reveal_type(client.embeddings.as_request.create(model="x", input="y"))  # T: Request[CreateEmbeddingResponse]
    reveal_type(client.chat.completions.as_request.create(model="x", messages=[]))  # T: Request[ChatCompletion]
    streamed = client.chat.completions.as_request.create(model="x", messages=[], stream=True)
    reveal_type(streamed)  # T: Request[AsyncStream[ChatCompletionChunk]]


async def mistakes(client: AsyncOpenAI) -> None:
    misspelt = await client.chat.completions.create(model="x", messages=[])
    print(misspelt.choises)  # E
    print(misspelt.choices[0].mesage)  # E
    await client.chat.completions.create(model="x", messages=[], temprature=1)  # E
    await client.chat.completions.create(messages=[])  # E
    await client.chat.completions.create(model=1, messages=[])  # E
    await client.chat.completions.create(model="x", messages=[{"role": "nobody", "content": "x"}])  # E
    await client.files.retrieve()  # E
    await client.files.retrieve(file="id")  # E
    await client.files.create(file=b"x", purpose="fun")  # E
    await client.files.list(limit="all")  # E
    await client.models.retrieve("gpt-4o", timeout="soon")  # E
    await client.embeddings.create(input="x", model="y", stream=True)  # E
    client.chat.completions.as_request.create(model="x")  # E
    print(client.nothing)  # E
    print(client.with_raw_response.nothing)  # E
    print(client.chat.completions.with_raw_response.stream)  # E
