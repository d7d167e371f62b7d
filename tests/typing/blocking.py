"""What type checkers make of the blocking client, and of helpers in both clients; see calls.py.

Never executed: test_typing.py hands it to mypy and pyright.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

from typing_extensions import reveal_type

from aiopenai import AsyncOpenAI, OpenAI, Stream
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk


class Answer:
    pass


def chat(client: OpenAI, streaming: bool) -> None:
    completion = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    reveal_type(completion)  # T: ChatCompletion
    stream = client.chat.completions.create(model="gpt-4o", messages=[], stream=True)
    reveal_type(stream)  # T: Stream[ChatCompletionChunk]
    for chunk in stream:
        reveal_type(chunk)  # T: ChatCompletionChunk
    either = client.chat.completions.create(model="gpt-4o", messages=[], stream=streaming)
    reveal_type(either)  # T: ChatCompletion | Stream[ChatCompletionChunk]
    request = client.chat.completions.as_request.create(model="gpt-4o", messages=[])
    reveal_type(request)  # T: Request[ChatCompletion]
    reveal_type(client.send(request))  # T: ChatCompletion
    with stream as opened:
        reveal_type(opened)  # T: Stream[ChatCompletionChunk]
    client.chat.completions.create(model="gpt-4o")  # E
    client.chat.completions.create(model="gpt-4o", messages=[], no_such=1)  # E


def others(client: OpenAI) -> None:
    reveal_type(client.responses.create(model="x", input="y"))  # T: Response
    reveal_type(client.models.list())  # T: SyncPage[Model]
    reveal_type(client.files.list())  # T: SyncCursorPage[FileObject]
    for file in client.files.list():
        reveal_type(file)  # T: FileObject
    reveal_type(client.files.list().get_next_page())  # T: SyncCursorPage[FileObject]
    reveal_type(client.files.content("id"))  # T: HttpxBinaryResponseContent
    reveal_type(client.batches.create(completion_window="24h", endpoint="/v1/responses", input_file_id="f"))  # T: Batch
    reveal_type(client.audio.transcriptions.create(file=b"", model="whisper-1", response_format="text"))  # T: str
    listed = client.vector_stores.file_batches.list_files("b", vector_store_id="v")
    reveal_type(listed)  # T: SyncCursorPage[VectorStoreFile]
    reveal_type(client.admin.organization.projects.list())  # T: SyncConversationCursorPage[Project]
    reveal_type(client.with_options(timeout=5))  # T: OpenAI


def verbs(client: OpenAI) -> None:
    reveal_type(client.get("/models", cast_to=ChatCompletion))  # T: ChatCompletion
    reveal_type(client.patch("/models", cast_to=ChatCompletion))  # T: ChatCompletion
    stream = client.post("/x", cast_to=ChatCompletion, stream=True, stream_cls=Stream[ChatCompletionChunk])
    reveal_type(stream)  # T: Stream[ChatCompletionChunk]


def views(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="x", messages=[])
    reveal_type(raw)  # T: LegacyAPIResponse[ChatCompletion]
    reveal_type(client.files.with_raw_response.list())  # T: LegacyAPIResponse[SyncCursorPage[FileObject]]
    raw_stream = client.chat.completions.with_raw_response.create(model="x", messages=[], stream=True)
    reveal_type(raw_stream.parse())  # T: Stream[ChatCompletionChunk]
    with client.files.with_streaming_response.content("id") as body:
        reveal_type(body)  # T: APIResponse[HttpxBinaryResponseContent]
        reveal_type(body.read())  # T: bytes
    with client.with_streaming_response.models.list() as response:
        reveal_type(response.parse())  # T: SyncPage[Model]


def helpers(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="x", messages=[], response_format=Answer)
    reveal_type(parsed)  # T: ParsedChatCompletion[Answer]
    reveal_type(parsed.choices[0].message.parsed)  # T: Answer | None
    reveal_type(client.responses.parse(model="x", input="y", text_format=Answer).output_parsed)  # T: Answer | None
    reveal_type(client.beta.threads.runs.poll("r", "t"))  # T: Run
    reveal_type(client.beta.threads.runs.create_and_poll(assistant_id="a", thread_id="t"))  # T: Run
    reveal_type(client.vector_stores.files.upload_and_poll(vector_store_id="v", file=b""))  # T: VectorStoreFile
    reveal_type(client.uploads.upload_file_chunked(file="p", mime_type="m", purpose="batch"))  # T: Upload
    reveal_type(client.videos.poll("v"))  # T: Video
    client.beta.threads.runs.poll("r", "t", no_such=1)  # E


async def in_the_async_client(client: AsyncOpenAI) -> None:
    parsed = await client.chat.completions.parse(model="x", messages=[], response_format=Answer)
    reveal_type(parsed)  # T: ParsedChatCompletion[Answer]
    raw = await client.chat.completions.with_raw_response.parse(model="x", messages=[], response_format=Answer)
    reveal_type(raw.parse())  # T: ParsedChatCompletion[Answer]
    reveal_type(await client.responses.parse(model="x", input="y", text_format=Answer))  # T: ParsedResponse[Answer]
    reveal_type(await client.beta.threads.runs.poll("r", "t"))  # T: Run
    reveal_type(await client.files.wait_for_processing("f"))  # T: FileObject
    async for file in client.files.list():
        reveal_type(file)  # T: FileObject
