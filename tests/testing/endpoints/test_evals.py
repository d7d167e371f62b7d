from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from aiopenai.testing import Server
from tests.testing.strict import collect, strict

SOURCE: Any = {"type": "custom", "item_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}
SAME: Any = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
}
LABEL: Any = {
    "type": "label_model",
    "name": "tone",
    "model": "gpt-4o",
    "input": [{"role": "user", "content": "Label {{sample.output_text}}"}],
    "labels": ["good", "bad"],
    "passing_labels": ["good"],
}
SCORE: Any = {
    "type": "score_model",
    "name": "score",
    "model": "gpt-4o",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "Score {{sample.output_text}}"}]}],
    "range": [0, 10],
    "pass_threshold": 5,
}
ROWS: Any = [{"item": {"q": "Nile", "answer": "You said: Nile"}}, {"item": {"q": "Rhine", "answer": "no"}}]
TEMPLATE: Any = {"type": "template", "template": [{"role": "user", "content": "{{item.q}}"}]}
DATA: Any = {
    "type": "completions",
    "model": "gpt-4o",
    "source": {"type": "file_content", "content": ROWS},
    "input_messages": TEMPLATE,
}


async def create(client: AsyncOpenAI, *criteria: Any) -> Any:
    return strict(await client.evals.create(data_source_config=SOURCE, testing_criteria=criteria or [SAME], name="e"))


async def run(client: AsyncOpenAI, identity: str, data: Any) -> Any:
    runs = client.evals.runs
    made = strict(await runs.create(identity, data_source=data))
    assert made.status == "queued"
    assert strict(await runs.retrieve(made.id, eval_id=identity)).status == "in_progress"
    return strict(await runs.retrieve(made.id, eval_id=identity))


async def test_evals(client: AsyncOpenAI) -> None:
    made = [await create(client, each) for each in (SAME, LABEL, SCORE)]
    assert made[0].data_source_config.schema_["properties"]["item"] == SOURCE["item_schema"]
    assert [each.id for each in await collect(client.evals.list(limit=2))] == [each.id for each in made]
    assert strict(await client.evals.retrieve(made[0].id)).name == "e"
    updated = strict(await client.evals.update(made[0].id, name="new", metadata={"a": "b"}))
    assert (updated.name, updated.metadata) == ("new", {"a": "b"})
    # The changed eval is the last one in the order of changes.
    ordered = await collect(client.evals.list(order_by="updated_at", order="desc"))
    assert ordered[0].id == made[0].id
    assert [each.id for each in await collect(client.evals.list())] == [each.id for each in made]
    assert strict(await client.evals.delete(made[0].id)).deleted
    with pytest.raises(NotFoundError):
        await client.evals.retrieve(made[0].id)


async def test_a_run_grades_answers_of_a_model(client: AsyncOpenAI) -> None:
    made = await create(client)
    done = await run(client, made.id, DATA)
    assert done.status == "completed"
    assert done.result_counts.to_dict() == {"total": 2, "passed": 1, "failed": 1, "errored": 0}
    assert done.per_testing_criteria_results[0].to_dict() == {"testing_criteria": "same", "passed": 1, "failed": 1}
    assert done.per_model_usage[0].invocation_count == 2
    items = await collect(client.evals.runs.output_items.list(done.id, eval_id=made.id, limit=1))
    assert [item.status for item in items] == ["pass", "fail"]
    assert items[0].sample.input[0].content == "Nile"
    assert items[0].sample.output[0].content == "You said: Nile"
    assert items[0].results[0].score == 1.0
    failed = await collect(client.evals.runs.output_items.list(done.id, eval_id=made.id, status="fail"))
    assert failed == items[1:]
    one = await client.evals.runs.output_items.retrieve(items[1].id, eval_id=made.id, run_id=done.id)
    assert strict(one).datasource_item == ROWS[1]["item"]


@pytest.mark.parametrize(
    ("answer", "passed"), [("good", True), ("bad", False), ("7", True), ("3", False), ("words", True)]
)
async def test_graders_that_ask_a_model(answer: str, passed: bool, client: AsyncOpenAI, server: Server) -> None:
    server.answer = answer
    made = await create(client, SCORE if answer.isdecimal() else LABEL)
    data = {"type": "jsonl", "source": {"type": "file_content", "content": ROWS[:1]}}
    done = await run(client, made.id, data)
    assert done.result_counts.passed == passed


@pytest.mark.parametrize("source", ["file", "stored", "responses", "item-reference", "own-samples"])
async def test_sources_of_data(source: str, client: AsyncOpenAI) -> None:
    made = await create(client, {**SAME, "operation": "like", "reference": "Nile"})
    data: Any = {**DATA}
    if source == "file":
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[:1]).encode()
        file = await client.files.create(file=("rows.jsonl", lines), purpose="evals")
        data["source"] = {"type": "file_id", "id": file.id}
    elif source == "stored":
        message: Any = {"role": "user", "content": "Nile"}
        await client.chat.completions.create(model="gpt-4o", messages=[message], store=True, metadata={"a": "b"})
        await client.chat.completions.create(model="gpt-4o", messages=[message], store=True)
        data = {"type": "completions", "source": {"type": "stored_completions", "metadata": {"a": "b"}}}
    elif source == "responses":
        for model in ("gpt-4o", "gpt-4o-mini"):
            await client.responses.create(model=model, input="Nile")
        data = {"type": "responses", "source": {"type": "responses", "model": "gpt-4o"}}
    elif source == "item-reference":
        row = {"item": {"chat": [{"role": "user", "content": "Nile"}]}}
        data["source"] = {"type": "file_content", "content": [row]}
        data["input_messages"] = {"type": "item_reference", "item_reference": "item.chat"}
    else:
        row = {"item": {"q": "x"}, "sample": {"output_text": "The Nile"}}
        data = {"type": "jsonl", "source": {"type": "file_content", "content": [row]}}
    done = await run(client, made.id, data)
    assert (done.status, done.result_counts.passed, done.result_counts.total) == ("completed", 1, 1)


async def test_invalid_files_fail_the_run(client: AsyncOpenAI) -> None:
    made = await create(client)
    file = await client.files.create(file=("rows.jsonl", b'{"item": {}}\n{"q": 1}\n'), purpose="evals")
    done = await run(client, made.id, {"type": "jsonl", "source": {"type": "file_id", "id": file.id}})
    assert (done.status, done.error.code) == ("failed", "invalid_json_line")
    assert done.error.message == "Line 2 of the file has no object 'item'."


async def test_cancel_list_and_delete_runs(client: AsyncOpenAI) -> None:
    made = await create(client)
    runs = client.evals.runs
    first = await runs.create(made.id, data_source=DATA)
    second = await run(client, made.id, DATA)
    assert strict(await runs.cancel(first.id, eval_id=made.id)).status == "canceled"
    with pytest.raises(BadRequestError, match="its status is 'canceled'"):
        await runs.cancel(first.id, eval_id=made.id)
    assert [each.id for each in await collect(runs.list(made.id, limit=1))] == [first.id, second.id]
    assert [each.id for each in await collect(runs.list(made.id, status="completed"))] == [second.id]
    assert strict(await runs.delete(first.id, eval_id=made.id)).deleted
    with pytest.raises(NotFoundError):
        await runs.retrieve(first.id, eval_id=made.id)
    with pytest.raises(NotFoundError):
        await runs.output_items.retrieve("outputitem_none", eval_id=made.id, run_id=second.id)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"testing_criteria": []}, "testing_criteria"),
        ({"testing_criteria": [{"type": "multi"}]}, "testing_criteria[0].type"),
        ({"testing_criteria": [SAME, {**SAME, "operation": "x"}]}, "testing_criteria[1].operation"),
        ({"data_source_config": {"type": "other"}}, "data_source_config.type"),
        ({"data_source_config": {"type": "custom"}}, "data_source_config.item_schema"),
    ],
)
async def test_invalid_evals(options: Any, param: str, client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.evals.create(**{"data_source_config": SOURCE, "testing_criteria": [SAME], **options})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"type": "other", "source": {}}, "data_source.type"),
        ({"type": "jsonl"}, "data_source.source"),
        ({"type": "jsonl", "source": {"type": "responses"}}, "data_source.source.type"),
        ({"type": "jsonl", "source": {"type": "file_id"}}, "data_source.source.id"),
        ({"type": "jsonl", "source": {"type": "file_id", "id": "file-none"}}, "data_source.source.id"),
        ({**DATA, "model": "none"}, "model"),
    ],
)
async def test_invalid_runs(data: Any, param: str, client: AsyncOpenAI) -> None:
    made = await create(client)
    with pytest.raises((BadRequestError, NotFoundError)) as caught:
        await client.evals.runs.create(made.id, data_source=data)
    assert caught.value.param == param


@pytest.mark.parametrize("kind", ["logs", "stored_completions"])
async def test_evals_of_stored_data(kind: Any, client: AsyncOpenAI) -> None:
    config: Any = {"type": kind, "metadata": {"a": "b"}}
    made = strict(await client.evals.create(data_source_config=config, testing_criteria=[SAME]))
    assert made.data_source_config.type == kind
    assert made.data_source_config.metadata == {"a": "b"}
