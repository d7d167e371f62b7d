"""Recordings: calls that were passed on to another server, stored as readable files, and replies made from them."""
