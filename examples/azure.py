"""Azure OpenAI: a chat call, and the findings of its content filters.

The endpoint, the key and the version come from AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and OPENAI_API_VERSION.
`model` is the name of a deployment.
"""

import asyncio

from aiopenai import AsyncAzureOpenAI, BadRequestError


async def main() -> None:
    async with AsyncAzureOpenAI() as client:
        try:
            completion = await client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Say hello."}]
            )
        except BadRequestError as error:
            if error.code != "content_filter":
                raise
            print("the prompt was filtered:", error.body)
            return
    choice = completion.choices[0]
    print(choice.message.content)
    # Fields that OpenAI's API does not have are attributes too.
    for name, finding in getattr(choice, "content_filter_results", {}).items():
        print(name, finding)


asyncio.run(main())
