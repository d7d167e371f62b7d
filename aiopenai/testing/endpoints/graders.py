"""The endpoints `/fine_tuning/alpha/graders`: a grader is checked, or run on one sample."""

from __future__ import annotations

from aiopenai.testing.content.grading import check_grader, grade
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import OBJECT, STRING, check
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object

__all__ = ["FINE_TUNING_GRADERS", "run", "validate"]

FINE_TUNING_GRADERS = ("string_check", "text_similarity", "python", "score_model", "multi")
_PARAMS = {"grader": OBJECT, "item": OBJECT, "model_sample": STRING}
_ERRORS = (
    "formula_parse_error",
    "invalid_variable_error",
    "model_grader_parse_error",
    "model_grader_refusal_error",
    "model_grader_server_error",
    "other_error",
    "python_grader_runtime_error",
    "python_grader_server_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
)
_DETAILS = (
    "model_grader_server_error_details",
    "python_grader_runtime_error_details",
    "python_grader_server_error_type",
)


def run(call: Call) -> WholeReply:
    """POST /fine_tuning/alpha/graders/run."""
    body = call.body()
    check(body, _PARAMS, ("grader", "model_sample"))
    grader = check_grader(body["grader"], "grader", FINE_TUNING_GRADERS)
    values: Object = {"item": body.get("item") or {}, "sample": {"output_text": body["model_sample"]}}
    found = grade(call.state, grader, values)
    name = grader["name"]
    return WholeReply.json(
        {
            "reward": found.score,
            "sub_rewards": found.parts,
            "model_grader_token_usage_per_model": {},
            "metadata": {
                "name": name,
                "type": grader["type"],
                "errors": {**dict.fromkeys(_ERRORS, False), **dict.fromkeys(_DETAILS)},
                "execution_time": 0.0,
                "scores": found.parts or {name: found.score},
                "token_usage": None,
                "sampled_model_name": grader.get("model"),
            },
        }
    )


def validate(call: Call) -> WholeReply:
    """POST /fine_tuning/alpha/graders/validate."""
    body = call.body()
    check(body, _PARAMS, ("grader",))
    return WholeReply.json({"grader": check_grader(body["grader"], "grader", FINE_TUNING_GRADERS)})
