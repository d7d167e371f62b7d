"""Connections that stay open: websockets with events both ways, send queues and reconnects."""
