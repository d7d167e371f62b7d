"""An async view of Django that streams an answer: `uvicorn django_view:application`, then /ask?question=Why."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from aiopenai import APIError, AsyncOpenAI

# A project has this in its settings.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"], SECRET_KEY="local")

# One client for the process: it works in each event loop that Django uses, and opens connections with the first call.
client = AsyncOpenAI()


async def ask(request: HttpRequest) -> StreamingHttpResponse | HttpResponse:
    question = request.GET.get("question", "Why?")
    try:
        # Errors of the call appear here, before the first byte is sent, and become a status.
        stream = await client.responses.create(model="gpt-4o-mini", input=question, stream=True)
    except APIError as error:
        return JsonResponse({"error": type(error).__name__}, status=502)

    async def words() -> AsyncIterator[str]:
        async with stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    yield event.delta

    return StreamingHttpResponse(words(), content_type="text/plain; charset=utf-8")


urlpatterns = [path("ask", ask)]
application = get_asgi_application()
