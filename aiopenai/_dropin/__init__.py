"""The switch that lets `openai` and all modules below it resolve to aiopenai; see `aiopenai.dropin`."""
