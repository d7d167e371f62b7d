"""The errors of a call and the reaction to each."""

import asyncio

import aiopenai
from aiopenai import AsyncOpenAI


async def ask(client: AsyncOpenAI, model: str) -> str:
    """Returns an answer, or one line with the reason of the failure."""
    try:
        response = await client.responses.create(model=model, input="Why is the sea salty?")
    except aiopenai.NotFoundError as error:
        # `code`, `param` and `request_id` come from the API; quote the last one to the support.
        return f"{error.code}: no model {model!r} (request {error.request_id})"
    except aiopenai.AuthenticationError:
        return "the key is wrong, and no retry will help"
    except aiopenai.RateLimitError as error:
        # All retries are used up: they waited as long as the server asked.
        return f"too fast: {error.response.headers.get('retry-after')} s to wait"
    except aiopenai.APITimeoutError:
        return "no answer in time"
    except aiopenai.APIConnectionError as error:
        # `__cause__` is the error of the network.
        return f"no connection: {type(error.__cause__).__name__}"
    except aiopenai.APIStatusError as error:
        return f"status {error.status_code}: {error.message}"
    return response.output_text


async def main() -> None:
    async with AsyncOpenAI(max_retries=3, timeout=30) as client:
        print(await ask(client, "gpt-4o-mini"))
        print(await ask(client, "gpt-none"))
        # No server listens on this port. `with_options` makes a client with other options and shared connections.
        print(await ask(client.with_options(base_url="http://127.0.0.1:9/v1", max_retries=0), "gpt-4o-mini"))


if __name__ == "__main__":
    asyncio.run(main())
