"""A receiver of webhooks on aiohttp.web. Needs OPENAI_WEBHOOK_SECRET (`whsec_...`) from the dashboard."""

import sys
from collections.abc import AsyncIterator

from aiohttp import web

from aiopenai import AsyncOpenAI, InvalidWebhookSignatureError

CLIENT = web.AppKey("client", AsyncOpenAI)


async def receive(request: web.Request) -> web.Response:
    client = request.app[CLIENT]
    try:
        # Pass the bytes as received: JSON that was decoded and encoded again has another signature.
        event = client.webhooks.unwrap(await request.read(), request.headers)
    except InvalidWebhookSignatureError as error:
        print(f"refused: {error}", flush=True)
        return web.Response(status=400)
    if event.type == "response.completed":
        response = await client.responses.retrieve(event.data.id)
        print(f"{response.id}: {response.output_text}", flush=True)
    else:
        print(event.type, flush=True)
    return web.Response(status=204)


async def with_client(app: web.Application) -> AsyncIterator[None]:
    async with AsyncOpenAI() as client:
        app[CLIENT] = client
        yield


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(with_client)
    app.router.add_post("/webhook", receive)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
