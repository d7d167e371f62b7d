"""A distribution named `openai` that depends on aiopenai, for environments without the reference."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from aiopenai.version import REFERENCE_VERSION

__all__ = ["build_shim"]

_MODULE = '''"""aiopenai under the name `openai`."""

import sys

_own = sys.modules.pop(__name__)

import aiopenai.dropin

sys.modules[__name__] = aiopenai.dropin.opened()
'''
_METADATA = """Metadata-Version: 2.1
Name: openai
Version: {version}
Summary: aiopenai under the name of the reference
Requires-Python: >=3.10
Requires-Dist: aiopenai
Requires-Dist: pydantic>=2.4
"""
_WHEEL = "Wheel-Version: 1.0\nGenerator: aiopenai\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_shim(directory: str | Path) -> Path:
    """Writes the wheel into a directory and returns its path. Raises OSError if it cannot be written."""
    info = f"openai-{REFERENCE_VERSION}.dist-info"
    files = {
        "openai/__init__.py": _MODULE,
        f"{info}/METADATA": _METADATA.format(version=REFERENCE_VERSION),
        f"{info}/WHEEL": _WHEEL,
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    wheel = target / f"openai-{REFERENCE_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
