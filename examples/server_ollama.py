"""Ollama: its OpenAI-compatible path is http://localhost:11434/v1, and any key will do.

`model` is a name that `ollama list` shows. The context length is set in the model's file, not in a request.
"""

import os

from aiopenai import OpenAI

base_url = os.environ.get("OPENAI_BASE_URL", "http://localhost:11434/v1")
with OpenAI(base_url=base_url, api_key="ollama", timeout=300) as client:
    model = next(iter(client.models.list())).id
    completion = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello."}])
    print(completion.choices[0].message.content)
