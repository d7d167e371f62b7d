"""Bytes to values and values to bytes: the names that the rooms above use."""

from __future__ import annotations

from aiopenai._data.decoder import Decoder
from aiopenai._data.encoder import encode, encode_event
from aiopenai._data.plain import decode_json, portable_json
from aiopenai._data.provenance import Node, batch_of

__all__ = ["Decoder", "Node", "batch_of", "decode_json", "encode", "encode_event", "portable_json"]
