"""An API key over mutual TLS: the client certificate comes from files that environment variables name."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

from aiopenai import OpenAI


def context_of_environment(environment: Mapping[str, str]) -> ssl.SSLContext | bool:
    """Returns a TLS context with the client certificate, or True (the usual checks) if none is named."""
    chain = environment.get("OPENAI_MTLS_CERTIFICATE_CHAIN")
    if not chain:
        return True
    context = ssl.create_default_context(cafile=environment.get("OPENAI_MTLS_CA_BUNDLE"))
    key, password = environment.get("OPENAI_MTLS_PRIVATE_KEY"), environment.get("OPENAI_MTLS_PRIVATE_KEY_PASSWORD")
    context.load_cert_chain(chain, key, password)
    return context


def main() -> None:
    base_url = os.environ.get("OPENAI_BASE_URL", "https://mtls.api.openai.com/v1")
    with OpenAI(base_url=base_url, ssl=context_of_environment(os.environ)) as client:
        completion = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}]
        )
        print(completion.choices[0].message.content)


if __name__ == "__main__":
    main()
