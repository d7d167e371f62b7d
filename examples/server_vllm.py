"""vLLM: `vllm serve MODEL` listens on port 8000 and takes any key, unless it was started with --api-key.

Parameters of vLLM's own go into `extra_body`. Models that reason have their thoughts in `reasoning_content`.
"""

import os

from aiopenai import OpenAI

base_url = os.environ.get("OPENAI_BASE_URL", "http://localhost:8000/v1")
with OpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none")) as client:
    model = next(iter(client.models.list())).id
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}], temperature=0.2, stream=True
    )
    for chunk in stream:
        if chunk.choices:
            delta = chunk.choices[0].delta
            print(getattr(delta, "reasoning_content", None) or delta.content or "", end="", flush=True)
    print()
