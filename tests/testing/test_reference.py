"""Every reply of the server parses, strictly, to the type that the reference SDK has for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai.testing import Server, sign_webhook, webhook_event

openai = pytest.importorskip("openai")
models = pytest.importorskip("openai._models")

MESSAGES: Any = [{"role": "user", "content": "hi get_weather"}]
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
CUSTOM: Any = [{"type": "custom", "custom": {"name": "note"}}]
FUNCTION: Any = [
    {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "note"},
]

GRADER: Any = {"type": "string_check", "name": "a", "operation": "eq", "input": "x", "reference": "x"}


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        yield client


def strict(value: Any, type_: Any = None) -> Any:
    """Validate what arrived against its declared type, without the reference's leniency."""
    type_ = type_ or type(value)
    sent = json.loads(value.model_dump_json(by_alias=True, exclude_unset=True, warnings="error"))
    models.validate_type(type_=type_, value=sent)
    return value


async def test_strict_is_strict(client: Any, server: Server) -> None:
    reply = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": "0"}]}
    server.reply_with("/chat/completions", reply)
    lenient = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with pytest.raises(ValueError, match="index"):
        strict(lenient)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n": 2, "logprobs": True, "top_logprobs": 2},
        {"max_tokens": 1},
        {"tools": TOOLS},
        {"functions": [{"name": "get_weather"}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
        {"store": True, "metadata": {"a": "b"}},
    ],
)
async def test_chat(client: Any, params: dict[str, Any]) -> None:
    whole = strict(await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **params))
    assert whole._request_id.startswith("req_")
    options = {"include_usage": True}
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options=options, **params
    )
    chunks = [strict(chunk) async for chunk in stream]
    assert chunks[-1].usage == whole.usage
    assert {choice.finish_reason for chunk in chunks for choice in chunk.choices} - {None} == {
        choice.finish_reason for choice in whole.choices
    }


async def test_custom_tools(client: Any) -> None:
    strict(await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=CUSTOM))


async def test_stored_chat(client: Any) -> None:
    chats = client.chat.completions
    made = [await chats.create(model="gpt-4o", messages=MESSAGES, store=True) for _ in range(5)]
    first = made[0]
    strict(await chats.retrieve(first.id))
    strict(await chats.update(first.id, metadata={"a": "b"}))
    assert [strict(chat).id async for chat in chats.list(limit=2)] == [chat.id for chat in made]
    # The reference types stored messages as the assistant's only; the API and its own examples have any role.
    assert [message.role async for message in chats.messages.list(first.id)] == ["user"]
    assert strict(await chats.delete(first.id)).deleted


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"tools": FUNCTION},
        {"tools": FUNCTION, "input": "note"},
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"include": ["message.output_text.logprobs"], "top_logprobs": 1},
        {"max_output_tokens": 16, "input": "word " * 30},
        {"background": True},
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}},
        {"instructions": "be kind", "metadata": {"a": "b"}},
    ],
)
async def test_responses(client: Any, params: dict[str, Any]) -> None:
    params = {"model": "gpt-4o", "input": "hi", **params}
    made = strict(await client.responses.create(**params))
    await client.responses.retrieve(made.id)
    final = strict(await client.responses.retrieve(made.id))
    events = [strict(event) async for event in await client.responses.create(stream=True, **params)]
    assert events[0].type == "response.created"
    assert events[-1].type == f"response.{final.status}"
    assert events[-1].response.output_text == final.output_text
    again = [strict(event) async for event in await client.responses.retrieve(made.id, stream=True, starting_after=2)]
    assert [event.type for event in again] == [event.type for event in events[3:]]
    items = [strict(item) async for item in client.responses.input_items.list(made.id, limit=1)]
    assert [item.type for item in items] == ["message"]
    await client.responses.delete(made.id)


async def test_the_reference_follows_its_own_streams(client: Any) -> None:
    async with client.responses.stream(model="gpt-4o", input="hi", tools=FUNCTION) as stream:
        assert (await stream.get_final_response()).output[0].type == "function_call"
    async with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "You said: hi get_weather"


async def test_other_responses(client: Any) -> None:
    made = await client.responses.create(model="gpt-4o", input="hi", background=True)
    assert strict(await client.responses.cancel(made.id)).status == "cancelled"
    assert strict(await client.responses.input_tokens.count(model="gpt-4o", input="hi")).input_tokens == 7
    compacted = await client.responses.compact(model="gpt-4o", input="hi")
    # As above: the reference's output messages are the assistant's, compacted ones the user's.
    compacted.output = [item for item in compacted.output if item.type == "compaction"]
    assert len(strict(compacted).output) == 1


@pytest.mark.parametrize("params", [{}, {"logprobs": 2, "echo": True, "n": 2}, {"max_tokens": 1}])
async def test_completions(client: Any, params: dict[str, Any]) -> None:
    params = {"model": "gpt-3.5-turbo-instruct", "prompt": "hi", **params}
    whole = strict(await client.completions.create(**params))
    chunks = [chunk async for chunk in await client.completions.create(stream=True, **params)]
    # The reference types `finish_reason` of a chunk as never null; the API sends null before the end.
    assert strict(chunks[-1]).choices[0].finish_reason == whole.choices[-1].finish_reason
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices[0].index == 0)
    assert text == whole.choices[0].text


async def test_embeddings(client: Any) -> None:
    floats = strict(await client.embeddings.create(model="text-embedding-3-small", input="hi", encoding_format="float"))
    default = strict(await client.embeddings.create(model="text-embedding-3-small", input="hi"))
    assert default.data == floats.data


async def test_models(client: Any) -> None:
    listed = [strict(model) async for model in client.models.list()]
    assert strict(await client.models.retrieve("gpt-4o")) in listed
    assert strict(await client.models.delete("ft:gpt-4o-mini-2024-07-18:local::test")).deleted


async def test_files(client: Any) -> None:
    made = [
        strict(
            await client.files.create(
                file=(f"{number}.txt", b"data"),
                purpose="user_data",
                expires_after={"anchor": "created_at", "seconds": 3600},
            )
        )
        for number in range(3)
    ]
    assert [file async for file in client.files.list(limit=2)] == made[::-1]
    assert strict(await client.files.retrieve(made[0].id)) == made[0]
    assert (await client.files.content(made[0].id)).read() == b"data"
    assert strict(await client.files.delete(made[0].id)).deleted


async def test_moderations(client: Any) -> None:
    assert not strict(await client.moderations.create(input="hi")).results[0].flagged
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]
    strict(await client.moderations.create(input=parts))


async def test_errors(client: Any, server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="none", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="gpt-4o", messages=[])
    async with Server(api_key="right") as other:
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(base_url=other.base_url).models.list()
    server.fault(status=429, headers={"retry-after-ms": "1"}, times=2)
    with pytest.raises(openai.RateLimitError):
        await client.models.list()
    assert (await client.with_options(max_retries=1).models.list()).data
    server.fault(cut_after=0)
    with pytest.raises(openai.APIConnectionError):
        await client.models.list()


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
async def test_the_reference_polls_and_follows_runs(client: Any) -> None:
    assistant = strict(await client.beta.assistants.create(model="gpt-4o", tools=TOOLS))
    run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread={"messages": MESSAGES})
    assert strict(run).status == "requires_action"
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "3 m"}]
    runs = client.beta.threads.runs
    run = await runs.submit_tool_outputs_and_poll(run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs)
    assert strict(run).status == "completed"
    for step in strict(await runs.steps.list(run.id, thread_id=run.thread_id)).data:
        strict(step)
    async with runs.stream(thread_id=run.thread_id, assistant_id=assistant.id, tool_choice="none") as stream:
        events = [strict(event) async for event in stream]
        (message,) = await stream.get_final_messages()
    assert events[-1].event == "thread.run.completed"
    assert strict(message).content[0].text.value == "You said: hi get_weather"
    async with runs.stream(thread_id=run.thread_id, assistant_id=assistant.id) as stream:
        await stream.until_done()
        (step,) = await stream.get_final_run_steps()
    assert step.step_details.tool_calls[0].function.arguments == "{}"


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
async def test_the_reference_polls_files_and_videos(client: Any) -> None:
    store = strict(await client.vector_stores.create())
    batches = client.vector_stores.file_batches
    batch = strict(await batches.upload_and_poll(store.id, files=[("a.txt", b"one"), ("b.txt", b"two")]))
    assert batch.file_counts.completed == 2
    file = await client.files.create(file=b"three", purpose="assistants")
    assert strict(await client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)).status
    assert [result.file_id async for result in client.vector_stores.search(store.id, query="three")] == [file.id]
    assert strict(await client.videos.create_and_poll(prompt="x")).status == "completed"


async def test_the_reference_uploads_in_parts(client: Any) -> None:
    upload = await client.uploads.upload_file_chunked(
        file=b"x" * 1000, filename="a.txt", bytes=1000, mime_type="text/plain", purpose="user_data", part_size=300
    )
    assert strict(upload).file.bytes == 1000


async def test_batches(client: Any) -> None:
    body = {"model": "gpt-4o", "messages": MESSAGES}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = await client.files.create(file=json.dumps(line).encode(), purpose="batch")
    batch = strict(
        await client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    )
    for _ in range(2):
        batch = strict(await client.batches.retrieve(batch.id))
    assert batch.output_file_id


async def test_audio_and_images(client: Any) -> None:
    speech = await client.audio.speech.create(input="hi", model="tts-1", voice="alloy")
    heard = await client.audio.transcriptions.create(
        file=("a.mp3", speech.content), model="whisper-1", response_format="verbose_json"
    )
    assert strict(heard).text == "hi"
    stream = await client.audio.transcriptions.create(
        file=("a.mp3", speech.content), model="gpt-4o-transcribe", stream=True
    )
    assert [strict(event).type async for event in stream][-1] == "transcript.text.done"
    strict(await client.images.generate(prompt="x", model="gpt-image-1"))
    images = await client.images.generate(prompt="x", model="gpt-image-1", stream=True, partial_images=1)
    assert len([strict(event) async for event in images]) == 2


async def test_conversations_and_containers(client: Any) -> None:
    conversation = strict(await client.conversations.create(items=MESSAGES))
    strict(await client.responses.create(model="gpt-4o", input="hi", conversation=conversation.id))
    items = [strict(item) async for item in client.conversations.items.list(conversation.id, limit=2)]
    assert len(items) == 3
    container = strict(await client.containers.create(name="x"))
    strict(await client.containers.files.create(container.id, file=b"x"))


async def test_fine_tuning(client: Any) -> None:
    line = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    file = await client.files.create(file=("a.jsonl", json.dumps(line).encode()), purpose="fine-tune")
    jobs = client.fine_tuning.jobs
    job = strict(await jobs.create(model="gpt-4o-mini", training_file=file.id))
    strict(await jobs.pause(job.id))
    strict(await jobs.resume(job.id))
    job = strict(await jobs.retrieve(job.id))
    assert job.status == "succeeded"
    assert [strict(event).level async for event in jobs.list_events(job.id)]
    assert [strict(each).step_number async for each in jobs.checkpoints.list(job.id)] == [3, 2, 1]
    permissions = client.fine_tuning.checkpoints.permissions
    made = [strict(each) async for each in permissions.create(job.fine_tuned_model, project_ids=["proj_a"])]
    assert [strict(each).id async for each in permissions.list(job.fine_tuned_model)] == [made[0].id]
    assert strict(await permissions.delete(made[0].id, fine_tuned_model_checkpoint=job.fine_tuned_model)).deleted
    assert strict(await jobs.cancel((await jobs.create(model="gpt-4o-mini", training_file=file.id)).id))
    strict(await client.fine_tuning.alpha.graders.run(grader=GRADER, model_sample="x"))
    strict(await client.fine_tuning.alpha.graders.validate(grader=GRADER))


async def test_evals(client: Any) -> None:
    source = {"type": "custom", "item_schema": {"type": "object"}}
    made = strict(await client.evals.create(data_source_config=source, testing_criteria=[GRADER]))
    rows = {"type": "file_content", "content": [{"item": {"q": "x"}}]}
    template = {"type": "template", "template": [{"role": "user", "content": "{{item.q}}"}]}
    data = {"type": "completions", "model": "gpt-4o", "source": rows, "input_messages": template}
    runs = client.evals.runs
    run = strict(await runs.create(made.id, data_source=data))
    for _ in range(2):
        run = strict(await runs.retrieve(run.id, eval_id=made.id))
    assert run.status == "completed"
    items = [strict(item) async for item in runs.output_items.list(run.id, eval_id=made.id)]
    strict(await runs.output_items.retrieve(items[0].id, eval_id=made.id, run_id=run.id))
    other = await runs.create(made.id, data_source=data)
    strict(await runs.cancel(other.id, eval_id=made.id))
    assert len([strict(each) async for each in runs.list(made.id)]) == 2
    strict(await runs.delete(other.id, eval_id=made.id))
    strict(await client.evals.update(made.id, name="new"))
    assert [strict(each).name async for each in client.evals.list()] == ["new"]
    assert strict(await client.evals.delete(made.id)).deleted


async def test_skills(client: Any) -> None:
    files = [("a/SKILL.md", b"---\nname: a\ndescription: b\n---\n"), ("a/data.txt", b"x")]
    skill = strict(await client.skills.create(files=files))
    versions = client.skills.versions
    strict(await versions.create(skill.id, files=files, default=True))
    assert [strict(each).version async for each in versions.list(skill.id)] == ["2", "1"]
    strict(await versions.retrieve("1", skill_id=skill.id))
    strict(await versions.delete("1", skill_id=skill.id))
    strict(await client.skills.update(skill.id, default_version="2"))
    assert (await client.skills.content.retrieve(skill.id)).read().startswith(b"PK")
    assert [strict(each).id async for each in client.skills.list()] == [skill.id]
    assert strict(await client.skills.delete(skill.id)).deleted


async def test_chatkit(client: Any) -> None:
    session = strict(await client.beta.chatkit.sessions.create(user="ann", workflow={"id": "wf"}))
    strict(await client.beta.chatkit.sessions.cancel(session.id))
    threads = [strict(each) async for each in client.beta.chatkit.threads.list(user="ann")]
    strict(await client.beta.chatkit.threads.retrieve(threads[0].id))
    items = [strict(item) async for item in client.beta.chatkit.threads.list_items(threads[0].id)]
    assert [item.type for item in items] == ["chatkit.assistant_message", "chatkit.user_message"]
    assert strict(await client.beta.chatkit.threads.delete(threads[0].id)).deleted


def test_the_reference_believes_our_webhooks() -> None:
    secret = "whsec_" + "c2VjcmV0" * 4
    payload = webhook_event("response.completed")
    client = openai.OpenAI(api_key="x", webhook_secret=secret)
    assert client.webhooks.unwrap(payload, sign_webhook(payload, secret)).data.id == "resp_local"
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(payload + b" ", sign_webhook(payload, secret))
    client.close()


AGENT: Any = {
    "model": "gpt-4o",
    "tools": [{"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}],
}


async def test_agents(client: Any, server: Server) -> None:
    sessions = client.beta.agents.sessions
    session = strict(await sessions.create(agent=AGENT, environment={"type": "openai_hosted"}))
    server.answer = "a,b"
    given = "look, and write /workspace/outputs/a.csv"
    handled: list[Any] = []
    async with sessions.stream(session.id, input=given, tool_handlers={"look": handled.append}) as stream:
        stream.with_result_collection()
        kinds = [strict(event).type async for event in stream]
        result = await stream.get_final_result()
    assert kinds[0] == "agent.session.turn.created"
    assert kinds[-1] == "agent.session.idle"
    assert (handled, result.output_text) == ([{}], "a,b")
    content = await sessions.artifacts.for_result(result).content("/workspace/outputs/a.csv")
    assert content.read() == b"a,b"
    for page in (sessions.items, sessions.turns, sessions.artifacts):
        assert [strict(each) async for each in page.list(session.id)]
    strict(await sessions.retrieve(session.id))


async def test_a_streamed_session(client: Any) -> None:
    stream = await client.beta.agents.sessions.create(
        agent=AGENT, environment={"type": "none"}, input="look", stream=True, tool_handlers={"look": lambda _: "seen"}
    )
    kinds = [strict(event).type async for event in stream]
    assert kinds[-2:] == ["agent.session.turn.completed", "agent.session.idle"]
