"""`aiopenai.dropin` in interpreters of its own: the switch changes the modules of a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("pydantic")
pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[2]
HEADER = """
import aiopenai.dropin, asyncio, openai, pydantic
from aiopenai.testing import Server
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice
MESSAGES = [{"role": "user", "content": "hi"}]
"""


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    found = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    found |= {"PYTHONPATH": str(ROOT), **(environment or {})}
    done = subprocess.run(
        [sys.executable, *command], env=found, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def script(body: str, **environment: str) -> str:
    return run("-c", HEADER + textwrap.dedent(body), environment=environment)


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
