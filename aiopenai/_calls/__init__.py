"""One API call: request, arguments, methods, replies, streams, paging, hooks."""
