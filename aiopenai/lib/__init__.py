"""Helpers: what takes more than one call, or none; each module is imported when it is first used."""
