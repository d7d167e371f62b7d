"""Many calls within a rate limit, and their answers in a Parquet file. Needs `aiopenai[cli,parquet]`."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow
import pyarrow.parquet

from aiopenai import AsyncOpenAI, Request

RIVERS = ["Amazon", "Danube", "Ganges", "Mississippi", "Murray", "Niger", "Nile", "Volga", "Yangtze", "Zambezi"]
ROWS_AT_ONCE = 1_000


def questions(client: AsyncOpenAI) -> Iterator[Request[Any]]:
    for river in RIVERS:
        yield client.responses.create.request(model="gpt-4o-mini", input=f"How long is the {river}, in km?")


async def main(path: str) -> None:
    columns = {"river": "string", "answer": "string", "error": "string", "tokens": "int64", "seconds": "float64"}
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in columns.items()])
    with pyarrow.parquet.ParquetWriter(path, schema) as file:
        rows: list[dict[str, Any]] = []
        async with AsyncOpenAI() as client:
            # The limits in the headers of the server hold as well. A bar is shown on a terminal.
            async for result in client.map(questions(client), rpm=6_000, tpm=1_000_000, progress=True):
                reply = result.reply
                rows.append(
                    {
                        "river": RIVERS[result.index],
                        "answer": reply.output_text if reply else None,
                        "error": None if result.ok else str(result.error),
                        "tokens": result.usage.total_tokens if result.usage else None,
                        "seconds": result.total,
                    }
                )
                if len(rows) == ROWS_AT_ONCE:
                    file.write_table(pyarrow.Table.from_pylist(rows, schema))
                    rows.clear()
        file.write_table(pyarrow.Table.from_pylist(rows, schema))
    print(pyarrow.parquet.read_metadata(path).num_rows, "rows in", path)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "rivers.parquet"))
