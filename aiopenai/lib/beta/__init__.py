"""Helpers of the namespaces below `beta`."""
