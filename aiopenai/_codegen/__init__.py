"""The generator of `aiopenai/types` and `aiopenai/resources`; a development tool, not part of the wheel.

It reads the interface of the installed reference SDK (names, signatures, annotations, verbs and paths) from its syntax
trees, without importing it, and writes whole files. Nothing that the reference says in words is copied.

`shapes` describes an interface, `read_types` and `read_resources` fill the description in, `layout` decides where
everything lives and what it is called here, `unions` decides what msgspec can decode, `write_types` and
`write_resources` put it into text, `output` replaces what was there, `drift` says what changed.
"""

# The release whose interface the committed files hold.
PIN = "3.52.0"
