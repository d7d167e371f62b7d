"""Without `await`: the blocking client, cell by cell, as in a notebook."""

# %% One client for the whole notebook; nothing has to be closed.
from aiopenai import OpenAI

client = OpenAI()

# %% A question
response = client.responses.create(model="gpt-4o-mini", input="Name a river in one word.")
print(response.output_text)

# %% A conversation goes on from any reply
more = client.responses.create(
    model="gpt-4o-mini", input="How long is it, in km?", previous_response_id=response.id, max_output_tokens=200
)
print(more.output_text)

# %% An answer as it arrives
stream = client.chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "Tell me of a river."}], stream=True
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()

# %% Lists are read page by page
print(sum(1 for model in client.models.list() if "mini" in model.id), "small models")

# %% Headers of a reply: how much is left of the limits
raw = client.models.with_raw_response.list()
print(raw.headers["x-ratelimit-remaining-requests"], "requests left")
