"""The texts for deprecated methods. The reference marks the methods; the texts are our own."""

from __future__ import annotations

_ASSISTANTS = "The Assistants API is deprecated in favor of the Responses API."
_VIDEOS = "The Sora API ends on 24 September 2026."
_PLAIN = "This method is deprecated."
# By method, or by the path of a resource for all methods of it and below it.
_TEXTS = {
    "audio.translations.create": _PLAIN,
    "images.create_variation": _PLAIN,
    "beta.assistants": _PLAIN,
    "beta.threads": _ASSISTANTS,
    "files.retrieve_content": "Use `files.content()` instead.",
    "fine_tuning.checkpoints.permissions.retrieve": "Use `fine_tuning.checkpoints.permissions.list()` instead.",
    "videos": _VIDEOS,
}


def deprecation(path: str) -> str:
    """Returns the text for a method, by its dotted path."""
    while path not in _TEXTS and "." in path:
        path = path.rpartition(".")[0]
    return _TEXTS.get(path, _PLAIN)
