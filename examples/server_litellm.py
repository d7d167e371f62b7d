"""LiteLLM's proxy: a gateway of your own on port 4000. The keys are those that the proxy has made.

`model` is a name of the proxy's configuration. Its headers tell the cost of a call.
"""

import os

from aiopenai import OpenAI

base_url = os.environ.get("OPENAI_BASE_URL", "http://localhost:4000/v1")
with OpenAI(base_url=base_url, api_key=os.environ["OPENAI_API_KEY"], max_retries=1) as client:
    reply = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}]
    )
    print(reply.parse().choices[0].message.content)
    print("cost:", reply.headers.get("x-litellm-response-cost", "not told"))
