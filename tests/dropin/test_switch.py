"""`aiopenai.dropin` in interpreters of its own: the switch changes the modules of a whole process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dropin.programs import ROOT, run, script

pytest.importorskip("pydantic")
pytestmark = pytest.mark.once


def test_replies_are_pydantic_objects_of_the_references_names() -> None:
    script("""
        async def main():
            async with Server() as server, openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
                reply = await client.chat.completions.create(model="m", messages=MESSAGES)
                assert type(reply) is ChatCompletion and type(reply.choices[0]) is Choice
                assert issubclass(ChatCompletion, pydantic.BaseModel) and issubclass(ChatCompletion, openai.BaseModel)
                assert ChatCompletion.__module__ == "openai.types.chat.chat_completion"
                assert ChatCompletion.model_validate(reply.model_dump()).model_dump() == reply.model_dump()
                assert reply._request_id
                stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
                chunks = [chunk async for chunk in stream]
                assert isinstance(stream, openai.AsyncStream)
                assert chunks and all(type(chunk) is ChatCompletionChunk for chunk in chunks)
                events = [each async for each in await client.responses.create(model="m", input="hi", stream=True)]
                assert type(events[-1]) is openai.types.responses.ResponseCompletedEvent
                assert type(events[-1].response) is openai.types.responses.Response
                assert events[-1].response.output_text
                vectors = await client.embeddings.create(model="m", input="hi")
                assert isinstance(vectors.data[0].embedding[0], float)
                async for model in client.models.list():
                    assert type(model) is openai.types.Model
                async with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
                    async for _ in stream:
                        pass
                    assert isinstance(await stream.get_final_completion(), ChatCompletion)
                class Out(pydantic.BaseModel):
                    x: int
                parsed = await client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Out)
                assert type(parsed.choices[0].message.parsed) is Out
                raw = await client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
                assert type(raw.parse()) is ChatCompletion
                try:
                    await client.models.retrieve("none")
                except openai.NotFoundError:
                    return
                raise AssertionError
        asyncio.run(main())
    """)


def test_tool_loops_over_streams() -> None:
    script("""
        def look(place: str) -> str:
            return "a river"
        async def main(base_url):
            async with openai.AsyncOpenAI(base_url=base_url, api_key="k") as client:
                tools = {"model": "m", "tools": [look], "stream": True}
                for started in (
                    client.chat.completions.run_tools(messages=[{"role": "user", "content": "look"}], **tools),
                    client.responses.run_tools(input="look", **tools),
                ):
                    run = await (await started).get_final_run()
                    assert [each.output for each in run.executions] == ["a river"], run
        with Server() as server:
            asyncio.run(main(server.base_url))
            with openai.OpenAI(base_url=server.base_url, api_key="k") as client:
                run = client.responses.run_tools(model="m", input="look", tools=[look], stream=True).get_final_run()
                assert [each.output for each in run.executions] == ["a river"], run
    """)


def test_the_blocking_client_has_the_same_replies() -> None:
    script("""
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            assert type(client.chat.completions.create(model="m", messages=MESSAGES)) is ChatCompletion
            stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            assert isinstance(stream, openai.Stream) and {type(chunk) for chunk in stream} == {ChatCompletionChunk}
            with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
                assert isinstance(stream.get_final_completion(), ChatCompletion)
            calls = []
            own = openai.OpenAI.request
            def traced(self, cast_to, options, **more):
                calls.append((cast_to, options.method, options.url, options.json_data["model"]))
                return own(self, cast_to, options, **more)
            openai.OpenAI.request = traced
            assert type(client.chat.completions.create(model="m", messages=MESSAGES)) is ChatCompletion
            list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
            assert calls == [(ChatCompletion, "post", "/chat/completions", "m")] * 2
    """)


def test_the_version_and_the_metadata_are_the_references() -> None:
    script("""
        import importlib.metadata
        from aiopenai.version import REFERENCE_VERSION
        assert openai.__version__ == openai.VERSION == importlib.metadata.version("openai") == REFERENCE_VERSION
        assert openai.APIError is __import__("aiopenai").APIError
        assert issubclass(openai.AzureOpenAI, openai.OpenAI) and not issubclass(openai.OpenAI, openai.AsyncOpenAI)
    """)


def test_structs_are_an_option() -> None:
    script("import aiopenai; assert openai.OpenAI is aiopenai.OpenAI", AIOPENAI_DROPIN_REPLIES="structs")


def test_installing_twice_and_uninstalling() -> None:
    script("""
        import sys
        aiopenai.dropin.install()
        assert sum(type(each).__module__ == "aiopenai.dropin" for each in sys.meta_path) == 1
        aiopenai.dropin.uninstall()
        aiopenai.dropin.uninstall()
        assert "openai" not in sys.modules
        assert not any(type(each).__module__ == "aiopenai.dropin" for each in sys.meta_path)
    """)


def test_another_openai_that_is_imported_already_is_refused() -> None:
    run(
        "-c",
        """
import sys, types
sys.modules["openai"] = types.ModuleType("openai")
try:
    import aiopenai.dropin
except RuntimeError as error:
    assert "before the first import of openai" in str(error)
else:
    raise AssertionError
""",
    )


def test_importing_aiopenai_does_not_install_the_switch() -> None:
    run("-c", "import sys, aiopenai; assert 'aiopenai.dropin' not in sys.modules and 'pydantic' not in sys.modules")


def test_exec_runs_files_modules_and_their_children_with_the_switch(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys, openai\n"
        "print(openai.AsyncOpenAI.__mro__[1].__module__, sys.argv[1:])\n"
        "if len(sys.argv) > 1: subprocess.run([sys.executable, sys.argv[0]], check=True)\n"
    )
    wanted = "aiopenai._dropin.clients ['a', '-b']\naiopenai._dropin.clients []"
    assert run("-m", "aiopenai", "exec", str(program), "a", "-b") == wanted
    listed = run("-m", "aiopenai", "exec", "-m", "program", environment={"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"})
    assert listed == "aiopenai._dropin.clients []"


def test_the_shim_is_a_wheel_that_imports_as_openai(tmp_path: Path) -> None:
    wheel = run("-m", "aiopenai.dropin", "--build-shim", str(tmp_path))
    found = run(
        "-c",
        "import importlib.metadata, openai.types.chat as chat\n"
        "print(openai.AsyncOpenAI.__mro__[1].__module__, chat.ChatCompletion.__module__)\n"
        "print([each.metadata['Name'] for each in importlib.metadata.distributions(path=[PATH])])".replace(
            "PATH", repr(wheel)
        ).replace("import importlib", "import openai, importlib"),
        environment={"PYTHONPATH": f"{wheel}{os.pathsep}{ROOT}"},
    )
    assert found == "aiopenai._dropin.clients openai.types.chat.chat_completion\n['openai']"


def test_modules_of_types_have_the_names_that_they_import() -> None:
    script("""
        from openai.types.responses.response import ResponseOutputItem, Tool
        from openai.types.images_response import Image
        assert Image is openai.types.Image
    """)


def test_the_client_of_httpx_below_a_client() -> None:
    script("""
        import httpx2 as httpx
        seen = []
        async def see(request):
            seen.append(request.url.path)
        async def main():
            async with Server() as server, openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
                assert isinstance(client._client, httpx.AsyncClient) and client._client is client.copy()._client
                client._client.event_hooks["request"].append(see)
                await client.chat.completions.create(model="m", messages=MESSAGES)
                assert seen == ["/v1/chat/completions"]
            assert client._client.is_closed
        asyncio.run(main())
        with openai.OpenAI(api_key="k") as client, httpx.Client() as own:
            assert isinstance(client._client, httpx.Client)
            with openai.OpenAI(api_key="k", http_client=own) as other:
                assert other._client is own
                assert repr(other) == "<OpenAI base_url='https://api.openai.com/v1/'>"
            assert own.is_closed and other.is_closed()
        assert client._client.is_closed
    """)


def test_log_records_go_to_the_references_logger() -> None:
    script("""
        import logging
        records = []
        class Keep(logging.Handler):
            def emit(self, record):
                records.append((record.name, record.levelname, record.getMessage()))
        logging.getLogger("openai").addHandler(Keep())
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="sk-secret", max_retries=0) as client:
            client.chat.completions.create(model="m", messages=MESSAGES)
            assert records == []
            logging.getLogger("openai").setLevel(logging.INFO)
            client.chat.completions.create(model="m", messages=MESSAGES)
            try:
                client.models.retrieve("none")
            except openai.NotFoundError as error:
                assert str(error) == error.message and type(error).__module__ == "openai"
            [(name, level, line), (_, _, refused)] = records
            assert (name, level) == ("openai", "INFO")
            assert line.startswith("POST /chat/completions -> 200 in ") and "request id req_" in line
            assert refused.startswith("GET /models/none -> 404 in ") and "sk-secret" not in str(records)
        import aiopenai
        aiopenai.dropin.uninstall()
        assert aiopenai.NotFoundError.__module__ == "aiopenai.errors"
        assert logging.getLogger("aiopenai").name == "aiopenai"
        assert logging.getLogger("aiopenai").parent is logging.getLogger()
    """)


def test_the_level_from_the_environment_is_that_of_the_references_logger() -> None:
    script("import logging; assert logging.getLogger('openai').level == logging.WARNING", OPENAI_LOG="warning")


def test_stream_helpers_work_on_methods_that_a_tracer_replaced() -> None:
    script("""
        own, own_async = openai.resources.chat.Completions.create, openai.resources.chat.AsyncCompletions.create
        seen = []
        def create(self, **given):
            seen.append(sorted(given))
            return own(self, **given)
        async def acreate(self, **given):
            seen.append(sorted(given))
            return await own_async(self, **given)
        openai.resources.chat.Completions.create = create
        openai.resources.chat.AsyncCompletions.create = acreate
        given = {"model": "m", "messages": MESSAGES}
        async def main(url):
            async with openai.AsyncOpenAI(base_url=url, api_key="k") as client:
                async with client.chat.completions.stream(**given) as stream:
                    return [each.type async for each in stream], await stream.get_final_completion()
        with Server(answer="all flows") as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            with client.chat.completions.stream(**given) as stream:
                kinds, final = [each.type for each in stream], stream.get_final_completion()
            assert kinds.count("content.delta") > 1 and kinds.count("content.done") == 1, kinds
            assert final.choices[0].message.content == "all flows"
            others, final = asyncio.run(main(server.base_url))
            assert others == kinds and final.choices[0].message.content == "all flows"
        assert len(seen) == 2 and all("stream" in each for each in seen)
    """)


def test_subclasses_of_streams_keep_the_type_of_their_events() -> None:
    script("""
        own = openai.OpenAI.request
        def traced(self, cast_to, options, **more):
            if more.get("stream_cls") is None:
                return own(self, cast_to, options, **more)
            class Traced(more["stream_cls"]):
                def __stream__(self):
                    yield from super().__stream__()
            return own(self, cast_to, options, **{**more, "stream_cls": Traced})
        openai.OpenAI.request = traced
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
            assert {type(each) for each in chunks} == {ChatCompletionChunk}
            raw = client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
            assert type(raw.parse()) is ChatCompletion and raw.headers["x-request-id"]
            with client.chat.completions.with_streaming_response.create(model="m", messages=MESSAGES) as reply:
                assert type(reply.parse()) is ChatCompletion
            assert client.models.list().data
    """)


def test_values_with_an_alias_have_both_names() -> None:
    script("""
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            found = client.moderations.create(input="x").results[0].categories
            assert found.self_harm is False and found.model_extra["self-harm"] is False
            assert {"self_harm", "self-harm"} <= found.model_dump().keys() and "self-harm" not in found.model_fields_set
    """)


def test_the_base_url_is_one_of_httpx() -> None:
    script("""
        with openai.OpenAI(base_url="http://h/v1", api_key="k") as client:
            assert (client.base_url.host, client._base_url.path, str(client.base_url)) == ("h", "/v1/", "http://h/v1/")
            client.base_url = "http://other/v2"
            assert client.base_url.host == client.copy().base_url.host == "other"
    """)


def test_verbs_return_unparsed_replies_for_the_header_in_their_options() -> None:
    script("""
        from openai._legacy_response import LegacyAPIResponse
        given = {"cast_to": ChatCompletion, "body": {"model": "m", "messages": MESSAGES}}
        given["options"] = {"headers": {"X-Stainless-Raw-Response": "true"}}
        async def main(server):
            async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
                return await client.post("/chat/completions", **given)
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            for raw in (client.post("/chat/completions", **given), asyncio.run(main(server))):
                assert isinstance(raw, LegacyAPIResponse) and type(raw.parse()) is ChatCompletion
                assert "x-stainless-raw-response" not in {each.lower() for each in server.journal[-1].headers}
    """)


def test_streams_that_a_program_makes() -> None:
    script("""
        import httpx2 as httpx
        from openai import AsyncStream, Stream
        from openai.types.beta import AssistantStreamEvent
        chunk = '{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}'
        def response(body):
            return httpx.Response(200, content=body.encode())
        body = f": hi\\n\\nid: 7\\nevent: x\\ndata: {chunk}\\n\\ndata: [DONE]\\n\\n"
        given = {"cast_to": ChatCompletionChunk, "client": openai.OpenAI(api_key="k")}
        [item] = Stream(response=response(body), **given)
        assert type(item) is ChatCompletionChunk and isinstance(item, openai.BaseModel)
        events = [(each.event, each.id, each.data) for each in Stream(response=response(body), **given)._iter_events()]
        assert events == [("x", "7", chunk), (None, "7", "[DONE]")], events
        named = 'event: thread.created\\ndata: {"id": "t", "object": "thread", "created_at": 1}\\n\\n'
        [event] = Stream(response=response(named), **{**given, "cast_to": AssistantStreamEvent})
        assert event.event == "thread.created" and event.data.id == "t"
        class Traced(Stream[ChatCompletionChunk]):
            def __stream__(self):
                for each in super().__stream__():
                    each.seen = True
                    yield each
        assert [each.seen for each in Traced(response=response(body), **given)] == [True]
        async def main():
            given["client"] = openai.AsyncOpenAI(api_key="k")
            stream = AsyncStream(response=response(body), **given)
            assert [type(each) async for each in stream] == [ChatCompletionChunk]
            assert stream.response.is_closed
            stream = AsyncStream(response=response(body), **given)
            assert [each.data async for each in stream._iter_events()] == [chunk, "[DONE]"]
        asyncio.run(main())
    """)


def test_the_id_of_a_request_is_no_field_and_only_the_replys() -> None:
    script("""
        import copy, pickle
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            reply = client.chat.completions.create(model="m", messages=MESSAGES)
            other = client.chat.completions.create(model="m", messages=MESSAGES)
            page = client.models.list()
            [chunk, *_] = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            assert reply._request_id.startswith("req_") and page._request_id != other._request_id
            for part in (reply.usage, reply.choices[0], page.data[0], chunk):
                assert not hasattr(part, "_request_id")
            assert reply == ChatCompletion.model_validate(reply.model_dump())
            assert "_request_id" not in {*reply.model_dump(), *dict(reply), *reply.model_extra}
            assert "_request_id" not in repr(reply) + reply.model_dump_json() + page.to_json()
            for same in (copy.deepcopy(reply), pickle.loads(pickle.dumps(reply)), reply.model_copy()):
                assert same == reply and same._request_id == reply._request_id
            class Mine(ChatCompletion):
                _count: int = pydantic.PrivateAttr(default=3)
                _list: list = pydantic.PrivateAttr(default_factory=list)
                _unset: int = pydantic.PrivateAttr()
            made = [client.post("/chat/completions", cast_to=Mine, body={"model": "m", "messages": MESSAGES})
                    for _ in range(2)]
            assert made[0]._count == 3 and made[0]._list is not made[1]._list and not hasattr(made[0], "_unset")
            assert made[0]._request_id != made[1]._request_id
    """)


def test_errors_of_streams_carry_the_text_so_far() -> None:
    script("""
        import json, unittest.mock
        import httpx2 as httpx
        def chunk(text, reason=None, index=0):
            choice = {"index": index, "delta": {"content": text}, "finish_reason": reason}
            return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        def delta(text):
            return {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0,
                    "delta": text, "logprobs": [], "sequence_number": 1}
        def parts(*events):
            return "".join(f"data: {json.dumps(each)}\\n\\n" for each in events).encode()
        def client_of(body):
            head = {"content-type": "text/event-stream"}
            transport = httpx.MockTransport(lambda request: httpx.Response(200, content=body, headers=head))
            return openai.OpenAI(api_key="k", http_client=httpx.Client(transport=transport), max_retries=0)
        def failure(body, path, **given):
            seen = []
            try:
                create = getattr(client_of(body), path).create
                seen.extend(create(model="m", stream=True, **given))
            except openai.APIError as error:
                return error.partial, len(seen)
            return None, len(seen)
        class Chat:
            def __init__(self, body):
                self.found = None
                try:
                    chat = client_of(body).chat.completions
                    self.found = list(chat.create(model="m", messages=MESSAGES, stream=True))
                except openai.APIError as error:
                    self.partial = error.partial
        cut = Chat(parts(chunk("a"), chunk("b"), chunk("c", index=1))).partial
        assert cut.texts == {0: "ab", 1: "c"} and cut.events == 3 and cut.last.choices[0].index == 1
        assert len(Chat(parts(chunk("a"), chunk("b", "stop"))).found) == 2
        partial, count = failure(parts(delta("x"), delta("y")), "responses", input="hi")
        assert (partial.text, partial.events, count) == ("xy", 2, 2)
        body = parts(delta("x"), {"type": "response.completed", "response": {"id": "r"}, "sequence_number": 2})
        assert failure(body, "responses", input="hi") == (None, 2)
        reply = client_of(parts(delta("x"))).responses.create(model="m", input="hi", stream=True)
        event = next(iter(reply))
        assert isinstance(event, openai.types.responses.ResponseTextDeltaEvent) and isinstance(event, openai.BaseModel)
        assert not isinstance(event, ChatCompletionChunk) and not isinstance(3, ChatCompletionChunk)
        assert isinstance(unittest.mock.MagicMock(spec=ChatCompletionChunk), ChatCompletionChunk)
    """)
