"""Bytes to values and back: structs, codec, lenient path, server-sent events, vectors. No I/O."""
