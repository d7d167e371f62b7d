"""The side of a phone call: an answering machine is passed by pressing keys (DTMF).

The call itself runs over SIP. This program attaches to its session and controls it. Run with OPENAI_API_KEY set and the
id of a live session, or against the local server (`python -m aiopenai serve`), which accepts every id.
"""

import asyncio
import sys

from aiopenai import AsyncOpenAI


async def press(session_id: str, keys: str) -> None:
    async with AsyncOpenAI() as client, client.live.sideband.connect(session_id=session_id) as connection:
        for key in keys:
            await connection.transport.dtmf.send(event=key, event_id=f"key_{key}")
            async for event in connection:
                if event.type == "transport.dtmf.sent":
                    print("pressed", event.event)
                    break
                if event.type == "error":
                    raise RuntimeError(event.error.message)
        await connection.session.close()
        async for event in connection:
            if event.type == "session.closed":
                print("closed:", event.reason)


if __name__ == "__main__":
    asyncio.run(press(*(sys.argv[1:3] if len(sys.argv) > 2 else ("live_1", "42#"))))
