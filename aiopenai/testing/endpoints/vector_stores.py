"""The endpoints `/vector_stores`: files to search by their words.

The second retrieval of a file, of its batch or of its store processes the file: it is `in_progress` before, and then
`completed`, or `failed` without text.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from aiopenai.testing.content.passages import paragraphs, passes_filter, words_of
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    OBJECT,
    STRING,
    check,
    check_metadata,
    file_of,
    invalid_value,
    missing,
    stored,
)
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object, is_object, section, strings
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredFileBatch, StoredVectorFile, StoredVectorStore

__all__ = [
    "cancel_batch",
    "create",
    "create_batch",
    "create_file",
    "delete",
    "delete_file",
    "file_content",
    "list_",
    "list_batch_files",
    "list_files",
    "retrieve",
    "retrieve_batch",
    "retrieve_file",
    "search",
    "update",
    "update_file",
]

# Two retrievals until a file is processed: in_progress, in_progress, completed.
_POLLS = 2
_PARAMS = {
    "chunking_strategy": OBJECT,
    "description": STRING,
    "expires_after": OBJECT,
    "file_ids": ARRAY,
    "metadata": OBJECT,
    "name": STRING,
}
_FILE = {"attributes": OBJECT, "chunking_strategy": OBJECT, "file_id": STRING}
_BATCH = {"attributes": OBJECT, "chunking_strategy": OBJECT, "file_ids": ARRAY, "files": ARRAY}
_SEARCH = {
    "filters": OBJECT,
    "max_num_results": INTEGER.within(1, 50),
    "query": STRING | ARRAY,
    "ranking_options": OBJECT,
    "rewrite_query": BOOLEAN,
}
_STATUSES = ("in_progress", "completed", "failed", "cancelled")
_EMPTY: Object = {"name": "", "metadata": {}}
_DAY = 86_400


def create(call: Call) -> WholeReply:
    """POST /vector_stores."""
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    now = call.now()
    store: Object = {
        "id": call.state.new_id("vs_"),
        "object": "vector_store",
        "created_at": now,
        "name": body.get("name") or "",
        "usage_bytes": 0,
        "file_counts": _counts([]),
        "status": "completed",
        "expires_after": body.get("expires_after"),
        "expires_at": _expires_at(body, now),
        "last_active_at": now,
        "metadata": body.get("metadata") or {},
        # The type has no description, so only a request that gives one gets it back.
        **{name: body[name] for name in ("description",) if name in body},
    }
    limit = call.state.max_stored
    kept = StoredVectorStore(store, Store(limit), Store(limit))
    for identity in strings(body.get("file_ids")):
        _attach(call, kept, identity, body)
    call.state.vector_stores.put(store["id"], kept)
    return _store_reply(call, kept)


def retrieve(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}."""
    kept = _vector_store(call)
    _process(call, kept.files.values())
    return _store_reply(call, kept)


def update(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}."""
    kept = _vector_store(call)
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    for name in ("name", "metadata", "expires_after"):
        if name in body:
            kept.store[name] = body[name] or _EMPTY.get(name)
    kept.store["expires_at"] = _expires_at(kept.store, call.now())
    return _store_reply(call, kept)


def delete(call: Call) -> WholeReply:
    """DELETE /vector_stores/{vector_store_id}: the files themselves stay."""
    _vector_store(call)
    call.state.vector_stores.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "vector_store.deleted", "deleted": True})


def list_(call: Call) -> WholeReply:
    """GET /vector_stores: the newest first."""
    return page([_with_counts(kept) for kept in call.state.vector_stores.values()], call.request.query, order="desc")


def search(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}/search: ranked by the share of the words of the query in a paragraph."""
    kept = _vector_store(call)
    body = call.body()
    check(body, _SEARCH, ("query",))
    queries = [body["query"]] if type(body["query"]) is str else strings(body["query"])
    wanted = {word for query in queries for word in words_of(query)}
    threshold: float = section(body, "ranking_options").get("score_threshold") or 0.0
    found: list[Object] = []
    for file in kept.files.values():
        if file.file["status"] != "completed" or not passes_filter(body.get("filters"), file.file["attributes"] or {}):
            continue
        scored = [(len(wanted & words_of(text)) / (len(wanted) or 1), text) for text in paragraphs(file.text)]
        best = sorted((pair for pair in scored if pair[0] > 0 and pair[0] >= threshold), key=lambda pair: -pair[0])
        if best:
            identity = file.file["id"]
            known = call.state.files.get(identity)
            found.append(
                {
                    "file_id": identity,
                    "filename": identity if known is None else known.file["filename"],
                    "score": best[0][0],
                    "attributes": file.file["attributes"] or {},
                    "content": [{"type": "text", "text": text} for _, text in best],
                }
            )
    found.sort(key=lambda result: -result["score"])
    limit: int = body.get("max_num_results") or 10
    return WholeReply.json(
        {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": found[:limit],
            "has_more": False,
            "next_page": None,
        }
    )


def create_file(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}/files."""
    kept = _vector_store(call)
    body = call.body()
    check(body, _FILE, ("file_id",))
    return call.polled(_attach(call, kept, body["file_id"], body).file, unfinished=True)


def retrieve_file(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}/files/{file_id}."""
    file = _vector_file(call)
    _process(call, [file])
    return call.polled(file.file, unfinished=file.file["status"] == "in_progress")


def update_file(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}/files/{file_id}: only the attributes can be changed."""
    file = _vector_file(call)
    body = call.body()
    check(body, _FILE)
    if "attributes" not in body:
        raise missing("attributes")
    file.file["attributes"] = body["attributes"] or {}
    return WholeReply.json(file.file)


def delete_file(call: Call) -> WholeReply:
    """DELETE /vector_stores/{vector_store_id}/files/{file_id}: the file itself stays."""
    _vector_file(call)
    _vector_store(call).files.pop(call.ids[1])
    return WholeReply.json({"id": call.ids[1], "object": "vector_store.file.deleted", "deleted": True})


def list_files(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}/files: the newest first, by status (`filter`)."""
    return _page_of_files(call, _vector_store(call).files.values())


def file_content(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}/files/{file_id}/content: the text, paragraph by paragraph."""
    data = [{"type": "text", "text": text} for text in paragraphs(_vector_file(call).text)]
    return WholeReply.json(
        {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}
    )


def create_batch(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}/file_batches: `file_ids`, or `files` with their own attributes."""
    kept = _vector_store(call)
    body = call.body()
    check(body, _BATCH)
    given: list[Object] = [{**body, "file_id": identity} for identity in strings(body.get("file_ids"))]
    for number, file in enumerate(body.get("files") or ()):
        if not is_object(file) or type(file.get("file_id")) is not str:
            raise missing(f"files[{number}].file_id")
        given.append(file)
    if not given:
        raise missing("file_ids")
    for file in given:
        # All are checked before the first is attached, so that a failed call changes nothing.
        file_of(file["file_id"], call.state, "file_id")
    ids = [_attach(call, kept, file["file_id"], file).file["id"] for file in given]
    batch: Object = {
        "id": call.state.new_id("vsfb_"),
        "object": "vector_store.files_batch",
        "created_at": call.now(),
        "vector_store_id": kept.store["id"],
        "status": "in_progress",
        "file_counts": _counts([]),
    }
    held = StoredFileBatch(batch, ids)
    kept.batches.put(batch["id"], held)
    return _batch_reply(call, kept, held)


def retrieve_batch(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}/file_batches/{batch_id}."""
    kept = _vector_store(call)
    held = _batch(call, kept)
    _process(call, _files_of(kept, held))
    return _batch_reply(call, kept, held)


def cancel_batch(call: Call) -> WholeReply:
    """POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel: processed files stay."""
    kept = _vector_store(call)
    held = _batch(call, kept)
    for file in _files_of(kept, held):
        if file.file["status"] == "in_progress":
            file.file["status"] = "cancelled"
    if held.batch["status"] == "in_progress":
        held.batch["status"] = "cancelled"
    return _batch_reply(call, kept, held)


def list_batch_files(call: Call) -> WholeReply:
    """GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files."""
    kept = _vector_store(call)
    return _page_of_files(call, _files_of(kept, _batch(call, kept)))


def _vector_store(call: Call) -> StoredVectorStore:
    return stored(call.state.vector_stores, call.ids[0], "vector store")


def _vector_file(call: Call) -> StoredVectorFile:
    return stored(_vector_store(call).files, call.ids[1], "file in this vector store")


def _batch(call: Call, kept: StoredVectorStore) -> StoredFileBatch:
    return stored(kept.batches, call.ids[1], "file batch")


def _files_of(kept: StoredVectorStore, held: StoredFileBatch) -> list[StoredVectorFile]:
    return [file for identity in held.file_ids if (file := kept.files.get(identity)) is not None]


def _attach(call: Call, kept: StoredVectorStore, identity: str, asked: Object) -> StoredVectorFile:
    file_of(identity, call.state, "file_id")
    strategy = asked.get("chunking_strategy")
    if not is_object(strategy) or strategy.get("type") != "static":
        static = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
        strategy = {"type": "static", "static": static}
    file: Object = {
        "id": identity,
        "object": "vector_store.file",
        "usage_bytes": 0,
        "created_at": call.now(),
        "vector_store_id": kept.store["id"],
        "status": "in_progress",
        "last_error": None,
        "chunking_strategy": strategy,
        "attributes": asked.get("attributes") or {},
    }
    attached = StoredVectorFile(file, _POLLS)
    kept.files.put(identity, attached)
    return attached


def _process(call: Call, files: Iterable[StoredVectorFile]) -> None:
    """Counts a retrieval of each unprocessed file, and processes those that have had enough."""
    for file in files:
        if file.file["status"] != "in_progress":
            continue
        file.polls -= 1
        if file.polls:
            continue
        source = call.state.files.get(file.file["id"])
        with suppress(UnicodeDecodeError):
            file.text = "" if source is None else source.data.decode()
        if file.text.strip():
            file.file["status"] = "completed"
            file.file["usage_bytes"] = len(file.text.encode())
        else:
            file.file["status"] = "failed"
            file.file["last_error"] = {"code": "unsupported_file", "message": "The file holds no text."}


def _counts(files: Iterable[StoredVectorFile]) -> Object:
    found = [file.file["status"] for file in files]
    return {**{status: found.count(status) for status in _STATUSES}, "total": len(found)}


def _with_counts(kept: StoredVectorStore) -> Object:
    """Returns the object of a store with the current counts of its files."""
    files = kept.files.values()
    counts = _counts(files)
    kept.store["file_counts"] = counts
    kept.store["status"] = "in_progress" if counts["in_progress"] else "completed"
    kept.store["usage_bytes"] = sum(file.file["usage_bytes"] for file in files)
    return kept.store


def _store_reply(call: Call, kept: StoredVectorStore) -> WholeReply:
    store = _with_counts(kept)
    return call.polled(store, unfinished=store["status"] == "in_progress")


def _batch_reply(call: Call, kept: StoredVectorStore, held: StoredFileBatch) -> WholeReply:
    counts = _counts(_files_of(kept, held))
    held.batch["file_counts"] = counts
    if held.batch["status"] == "in_progress" and not counts["in_progress"]:
        held.batch["status"] = "completed" if counts["completed"] or not counts["failed"] else "failed"
    return call.polled(held.batch, unfinished=held.batch["status"] == "in_progress")


def _page_of_files(call: Call, files: Iterable[StoredVectorFile]) -> WholeReply:
    query = call.request.query
    wanted = query.get("filter")
    if wanted is not None and wanted not in _STATUSES:
        raise invalid_value("filter", wanted, _STATUSES)
    chosen = [file.file for file in files if wanted is None or file.file["status"] == wanted]
    return page(chosen, query, order="desc")


def _expires_at(body: Object, now: int) -> int | None:
    days = section(body, "expires_after").get("days")
    return now + days * _DAY if type(days) is int else None
