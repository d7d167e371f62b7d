"""The reference's internal modules: `aiopenai._types`, `aiopenai._utils._transform` and all others of their kind.

Frameworks import and check these names. `_modules.txt` is the table of the paths, with a line for each module, in the
format of `aiopenai._data.leaves`. The modules of this folder define the names that exist for such programs only.
"""
