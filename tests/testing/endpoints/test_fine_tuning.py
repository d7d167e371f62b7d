from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict

EXAMPLE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
PAIR = {"input": {"messages": EXAMPLE["messages"][:1]}, "preferred_output": [], "non_preferred_output": []}
CHECK: Any = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}
MODEL = "gpt-4o-mini-2024-07-18"


async def upload(client: AsyncOpenAI, *lines: Any, purpose: Any = "fine-tune") -> str:
    """The id of a file with these lines; None is an empty one."""
    data = "".join(f"{'' if line is None else json.dumps(line)}\n" for line in lines).encode()
    return (await client.files.create(file=("train.jsonl", data), purpose=purpose)).id


async def create(client: AsyncOpenAI, *lines: Any, **options: Any) -> Any:
    training_file = await upload(client, *(lines or (EXAMPLE,)))
    return strict(await client.fine_tuning.jobs.create(model=MODEL, training_file=training_file, **options))


async def test_a_job_makes_a_model(client: AsyncOpenAI) -> None:
    job = await create(client, suffix="my-model", metadata={"team": "a"}, seed=7)
    assert (job.status, job.seed, job.metadata) == ("validating_files", 7, {"team": "a"})
    jobs = client.fine_tuning.jobs
    assert strict(await jobs.retrieve(job.id)).status == "running"
    job = strict(await jobs.retrieve(job.id))
    assert job.status == "succeeded"
    assert job.fine_tuned_model.startswith(f"ft:{MODEL}:local:my-model:")
    assert job.trained_tokens > 0
    assert job.hyperparameters.n_epochs == 3
    metrics = await client.files.content(job.result_files[0])
    assert metrics.text.startswith("step,train_loss,train_accuracy\n1,0.5,0.5\n")
    assert strict(await client.files.retrieve(job.result_files[0])).purpose == "fine-tune-results"
    # The new model is one of the server's.
    assert (await client.models.retrieve(job.fine_tuned_model)).id == job.fine_tuned_model
    reply = await client.chat.completions.create(
        model=job.fine_tuned_model, messages=[{"role": "user", "content": "x"}]
    )
    assert reply.choices[0].message.content == "You said: x"
    assert strict(await jobs.retrieve(job.id)) == job


async def test_events_and_checkpoints(client: AsyncOpenAI) -> None:
    job = await create(client, method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}})
    jobs = client.fine_tuning.jobs
    for _ in range(2):
        job = await jobs.retrieve(job.id)
    events = await collect(jobs.list_events(job.id, limit=3))
    assert events[-1].message == f"Created fine-tuning job: {job.id}"
    assert events[0].message == "The job has successfully completed"
    steps = [event for event in events if event.type == "metrics"]
    assert [event.data["step"] for event in steps] == [2, 1]
    checkpoints = await collect(jobs.checkpoints.list(job.id, limit=1))
    assert [each.step_number for each in checkpoints] == [2, 1]
    assert checkpoints[0].fine_tuned_model_checkpoint == job.fine_tuned_model
    assert checkpoints[1].fine_tuned_model_checkpoint == f"{job.fine_tuned_model}:ckpt-step-1"
    assert checkpoints[1].metrics.train_loss == 0.5


async def test_pause_resume_and_cancel(client: AsyncOpenAI) -> None:
    job = await create(client)
    jobs = client.fine_tuning.jobs
    await jobs.retrieve(job.id)
    assert strict(await jobs.pause(job.id)).status == "queued"
    for _ in range(3):
        assert (await jobs.retrieve(job.id)).status == "queued"
    assert strict(await jobs.resume(job.id)).status == "running"
    with pytest.raises(BadRequestError, match="Cannot resume a job that is not paused"):
        await jobs.resume(job.id)
    assert strict(await jobs.cancel(job.id)).status == "cancelled"
    for action in (jobs.cancel, jobs.pause):
        with pytest.raises(BadRequestError, match="its status is 'cancelled'") as caught:
            await action(job.id)
        assert caught.value.code == "invalid_status"
    assert (await jobs.retrieve(job.id)).status == "cancelled"


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ({"type": "dpo"}, PAIR),
        ({"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1}}}, PAIR),
        ({"type": "reinforcement", "reinforcement": {"grader": CHECK}}, EXAMPLE),
        ({"type": "supervised"}, {"prompt": "a", "completion": "b"}),
    ],
    ids=["dpo", "dpo-beta", "reinforcement", "prompts"],
)
async def test_methods(method: Any, line: Any, client: AsyncOpenAI) -> None:
    job = await create(client, line, method=method)
    assert job.method.type == method["type"]
    for _ in range(2):
        job = strict(await client.fine_tuning.jobs.retrieve(job.id))
    assert job.status == "succeeded"


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([{"text": "x"}], {}, "Line 1 of the file .* has no 'messages' or 'prompt', 'completion'"),
        ([EXAMPLE, [1]], {}, "Line 2 of the file .* is no JSON object"),
        ([{"messages": []}], {}, "Line 1 of the file .* has no messages"),
        ([EXAMPLE, None, [1]], {}, "Line 3 of the file .* is no JSON object"),
        ([EXAMPLE], {"method": {"type": "dpo"}}, "Line 1 of the file .* has no 'input', 'preferred_output'"),
    ],
    ids=["keys", "json", "empty", "after-an-empty-line", "method"],
)
async def test_invalid_files_fail_the_job(lines: Any, options: Any, message: str, client: AsyncOpenAI) -> None:
    job = await create(client, *lines, **options)
    job = strict(await client.fine_tuning.jobs.retrieve(job.id))
    assert (job.status, job.error.code, job.error.param) == ("failed", "invalid_training_file", "training_file")
    assert re.search(message, job.error.message)
    (event,) = [each for each in await collect(client.fine_tuning.jobs.list_events(job.id)) if each.level == "error"]
    assert event.message == job.error.message


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"model": "none"}, "model"),
        ({"training_file": "file-none"}, "training_file"),
        ({"validation_file": "file-none"}, "validation_file"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"method": {"type": "other"}}, "method.type"),
        ({"method": {"type": "reinforcement"}}, "method.reinforcement.grader"),
        ({"hyperparameters": {"n_epochs": 0}}, "n_epochs"),
    ],
)
async def test_invalid_requests(options: Any, param: str, client: AsyncOpenAI) -> None:
    arguments = {"model": MODEL, "training_file": await upload(client, EXAMPLE), **options}
    with pytest.raises((BadRequestError, NotFoundError)) as caught:
        await client.fine_tuning.jobs.create(**arguments)
    assert caught.value.param == param


async def test_files_of_another_purpose(client: AsyncOpenAI) -> None:
    file = await upload(client, EXAMPLE, purpose="user_data")
    with pytest.raises(BadRequestError, match="the purpose of the file is 'user_data'"):
        await client.fine_tuning.jobs.create(model=MODEL, training_file=file)


async def test_lists(client: AsyncOpenAI) -> None:
    made = [await create(client, metadata={"n": str(number)}) for number in range(3)]
    jobs = await collect(client.fine_tuning.jobs.list(limit=2))
    assert [job.id for job in jobs] == [job.id for job in made[::-1]]
    assert [job.id for job in await collect(client.fine_tuning.jobs.list(metadata={"n": "1"}))] == [made[1].id]
    plain = await create(client)
    listed = client.fine_tuning.jobs.list(extra_query={"metadata": "null"})
    assert [job.id for job in await collect(listed)] == [plain.id]
    with pytest.raises(NotFoundError):
        await client.fine_tuning.jobs.retrieve("ftjob-none")


async def test_permissions(client: AsyncOpenAI) -> None:
    job = await create(client)
    for _ in range(2):
        job = await client.fine_tuning.jobs.retrieve(job.id)
    checkpoints = client.fine_tuning.checkpoints.permissions
    made = await collect(checkpoints.create(job.fine_tuned_model, project_ids=["proj_a", "proj_b"]))
    assert [each.project_id for each in made] == ["proj_a", "proj_b"]
    listed = await collect(checkpoints.list(job.fine_tuned_model, limit=1))
    assert [each.id for each in listed] == [each.id for each in made[::-1]]
    ascending = await collect(checkpoints.list(job.fine_tuned_model, order="ascending"))
    assert [each.id for each in ascending] == [each.id for each in made]
    (first,) = await collect(checkpoints.list(job.fine_tuned_model, project_id="proj_a"))
    assert first.id == made[0].id
    gone = await checkpoints.delete(made[0].id, fine_tuned_model_checkpoint=job.fine_tuned_model)
    assert strict(gone).deleted
    with pytest.raises(NotFoundError):
        await checkpoints.delete(made[0].id, fine_tuned_model_checkpoint=job.fine_tuned_model)


MULTI: Any = {
    "type": "multi",
    "name": "both",
    "graders": {"same": CHECK, "near": {**CHECK, "name": "near", "operation": "ilike"}},
    "calculate_output": "0.5 * same + min(near, 0.5)",
}


@pytest.mark.parametrize(
    ("grader", "sample", "reward"),
    [
        (CHECK, "Paris", 1.0),
        (CHECK, "paris", 0.0),
        ({**CHECK, "operation": "ne"}, "paris", 1.0),
        ({**CHECK, "operation": "like"}, "It is Paris.", 1.0),
        ({**CHECK, "operation": "ilike"}, "it is paris.", 1.0),
        (MULTI, "Paris", 1.0),
        (MULTI, "paris", 0.5),
        ({"type": "python", "name": "p", "source": "def grade(sample, item): return 1"}, "x", 1.0),
    ],
    ids=["equal", "other", "not", "like", "ilike", "multi", "multi-half", "python"],
)
async def test_graders(grader: Any, sample: str, reward: float, client: AsyncOpenAI) -> None:
    graders = client.fine_tuning.alpha.graders
    got = strict(await graders.run(grader=grader, model_sample=sample, item={"answer": "Paris"}))
    assert got.reward == reward
    assert not got.metadata.errors.other_error
    validated = await graders.validate(grader=grader)
    assert validated.to_dict()["grader"] == grader


@pytest.mark.parametrize("metric", ["fuzzy_match", "bleu", "cosine", "rouge_l"])
async def test_similarities(metric: str, client: AsyncOpenAI) -> None:
    grader: Any = {**CHECK, "type": "text_similarity", "evaluation_metric": metric, "pass_threshold": 0.5}
    del grader["operation"]
    graders = client.fine_tuning.alpha.graders
    scores = [
        (await graders.run(grader=grader, model_sample=sample, item={"answer": "the river Nile"})).reward
        for sample in ("the river Nile", "the river Rhine", "42")
    ]
    assert scores[0] == 1.0
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.parametrize("formula", ["same +", "other", "__import__('os')", "same.x", "[same]", "1/0", "9**9**9**9"])
async def test_formulas_are_arithmetic(formula: str, client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.fine_tuning.alpha.graders.validate(grader={**MULTI, "calculate_output": formula})
    assert caught.value.code == "invalid_grader"


@pytest.mark.parametrize(
    ("grader", "param"),
    [
        ({"name": "x"}, "grader.type"),
        ({"type": "label_model"}, "grader.type"),
        ({**CHECK, "operation": "near"}, "grader.operation"),
        ({"type": "string_check", "name": "x", "operation": "eq", "input": "x"}, "grader.reference"),
    ],
)
async def test_invalid_graders(grader: Any, param: str, client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.fine_tuning.alpha.graders.validate(grader=grader)
    assert caught.value.param == param
