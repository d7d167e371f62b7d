"""Helpers made of several calls, or of none. Each module is imported on first use."""
