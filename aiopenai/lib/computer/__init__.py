"""The computer tool of the responses API, with a driver of the program's: a browser or a desktop."""

from aiopenai.lib.computer._actions import ComputerActionInput, ComputerUseError, Screenshot
from aiopenai.lib.computer._drivers import AsyncComputerDriver, ComputerDriver
from aiopenai.lib.computer._toolsets import AsyncComputerToolset, ComputerToolset

__all__ = [
    "AsyncComputerDriver",
    "AsyncComputerToolset",
    "ComputerActionInput",
    "ComputerDriver",
    "ComputerToolset",
    "ComputerUseError",
    "Screenshot",
]
