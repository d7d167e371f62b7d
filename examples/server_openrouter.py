"""OpenRouter: one key for the models of many providers. The headers tell which program asks.

An error of a provider has the provider's own words in its message.
"""

import os

from aiopenai import APIStatusError, OpenAI

client = OpenAI(
    base_url=os.environ.get("OPENAI_BASE_URL", "https://openrouter.ai/api/v1"),
    api_key=os.environ["OPENAI_API_KEY"],
    default_headers={"HTTP-Referer": "https://example.com", "X-Title": "Example"},
)
with client:
    try:
        completion = client.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}]
        )
    except APIStatusError as error:
        print(f"status {error.status_code}: {error.message}")
    else:
        provider = getattr(completion, "provider", "unknown")
        print(completion.choices[0].message.content, f"(provider: {provider})")
