"""The microphone and the loudspeaker of this computer, for programs that talk. They need the extra `voice`."""

from aiopenai.helpers.local_audio_player import LocalAudioPlayer
from aiopenai.helpers.microphone import Microphone

__all__ = ["LocalAudioPlayer", "Microphone"]
