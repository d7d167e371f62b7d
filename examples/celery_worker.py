"""A Celery task that asks a model: `celery --app celery_worker worker` with a broker in CELERY_BROKER_URL.

As a program it runs the tasks in its own process, without a broker.
"""

import os

from celery import Celery, Task

from aiopenai import APIConnectionError, APIStatusError, OpenAI

app = Celery("rivers", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))
# The blocking client: a task is no coroutine. One client serves all tasks, also in the children that a worker forks.
# The queue repeats a task, so the client does not.
client = OpenAI(max_retries=0)


@app.task(bind=True, max_retries=3)
def describe(self: Task, river: str) -> str:
    try:
        return client.responses.create(model="gpt-4o-mini", input=f"Describe the {river}.", timeout=60).output_text
    except APIStatusError as error:
        if error.status_code != 429 and error.status_code < 500:
            raise
        # The server says when it takes the next request.
        raise self.retry(exc=error, countdown=error.retry_after or 2**self.request.retries) from error
    except APIConnectionError as error:
        raise self.retry(exc=error, countdown=2**self.request.retries) from error


if __name__ == "__main__":
    app.conf.task_always_eager = True
    for river in ("Danube", "Nile"):
        print(f"{river}: {describe.delay(river).get()}")
