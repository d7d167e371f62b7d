"""The blocking client, cell by cell as in a notebook."""

# %% One client for the whole notebook; it needs no close
from aiopenai import OpenAI

client = OpenAI()

# %% A call
response = client.responses.create(model="gpt-4o-mini", input="Name a river in one word.")
print(response.output_text)

# %% A conversation continues from any response
more = client.responses.create(
    model="gpt-4o-mini", input="How long is it, in km?", previous_response_id=response.id, max_output_tokens=200
)
print(more.output_text)

# %% A streamed answer
stream = client.chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "Tell me of a river."}], stream=True
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()

# %% A list fetches further pages on demand
print(sum(1 for model in client.models.list() if "mini" in model.id), "small models")

# %% The headers of a reply have the rest of the rate limits
raw = client.models.with_raw_response.list()
print(raw.headers["x-ratelimit-remaining-requests"], "requests left")
