"""Azure's v1 path with the plain client: https://NAME.openai.azure.com/openai/v1/ is an OpenAI-compatible server.

No API version is needed. `model` is the name of a deployment. A function as `api_key` may return tokens of Microsoft
Entra: azure.identity.get_bearer_token_provider(...) makes one.
"""

import os

from aiopenai import OpenAI

base_url = os.environ.get("OPENAI_BASE_URL", "https://NAME.openai.azure.com/openai/v1/")
with OpenAI(base_url=base_url, api_key=lambda: os.environ["OPENAI_API_KEY"]) as client:
    response = client.responses.create(model="gpt-4o", input="Say hello.")
    print(response.output_text)
