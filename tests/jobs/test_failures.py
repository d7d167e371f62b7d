"""The exceptions of a job's files."""

from __future__ import annotations

import pickle

import pytest

from aiopenai._jobs.failures import FilesError, JobError, LockedError, disk_errors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "out: while writing: No space left on device"),
        (OSError("odd"), "out: while writing: odd"),
        (FileNotFoundError(2, "No such file or directory", "x"), "out: while writing: No such file or directory"),
    ],
)
def test_errors_of_the_disk_name_the_file(error: OSError, said: str) -> None:
    with pytest.raises(FilesError) as caught, disk_errors("out", "while writing: "):
        raise error
    assert str(caught.value) == said
    assert caught.value.__cause__ is error


def test_other_errors_stay() -> None:
    with pytest.raises(LookupError), disk_errors("out"):
        raise LookupError
    with disk_errors("out"):
        pass


@pytest.mark.parametrize("kind", [FilesError, JobError, LockedError])
def test_survive_pickling(kind: type[Exception]) -> None:
    assert str(pickle.loads(pickle.dumps(kind("why")))) == "why"
