"""The generator of `aiopenai/types` and `aiopenai/resources`; a development tool, not part of the wheel.

It reads the interface of the installed reference SDK (names, signatures, annotations, verbs and paths) from its syntax
trees, without importing it, and writes whole files. It copies no prose of the reference.

`shapes` describes an interface. `read_types` and `read_resources` read it from the reference. `layout` chooses a module
and a name for each definition. `unions` finds the unions that msgspec decodes. `write_types`, `write_resources` and
`write_stubs` write the text. `output` replaces the generated files, and `drift` lists the changes.
"""

# The release whose interface the committed files hold.
PIN = "3.57.0"
