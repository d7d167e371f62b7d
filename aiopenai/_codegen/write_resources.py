"""The writer of the modules of `aiopenai/resources`: a class per resource, a decorator and signature per method."""

from __future__ import annotations

from dataclasses import replace

from aiopenai._codegen.deprecations import deprecation
from aiopenai._codegen.facts import OPTIONS, Facts
from aiopenai._codegen.groups import Group, Groups
from aiopenai._codegen.helpers import HELPERS, NAMES
from aiopenai._codegen.shapes import NONE, ByHand, Method, Name, Parameter, Ref, Resource, Type, Value
from aiopenai._codegen.text import ALIASES, HEADER, SOURCES, Annotations, Imports, brief_docstring, filled
from aiopenai._codegen.words import Words
from aiopenai._codegen.write_sockets import socket_file, sockets_text

PAGES = {
    "AsyncPage": "page",
    "AsyncCursorPage": "cursor_page",
    "AsyncConversationCursorPage": "conversation_cursor_page",
    "AsyncNextCursorPage": "next_cursor_page",
    "AsyncTokenPage": "token_page",
}
_FAMILY = "\n__getattr__, __dir__ = family(__name__)\n"


class ResourcesWriter:
    """The run-time files of `aiopenai/resources`, as text by relative path."""

    def __init__(self, groups: Groups, words: Words, version: str) -> None:
        self.groups = groups
        self.words = words
        self.version = version
        self.facts = Facts(groups.layout)

    def files(self) -> dict[str, str]:
        """Returns the text of all files, by path."""
        found = {"resources/__init__.py": self._root()}
        for group in self.groups:
            found[f"{group.file}.py"] = _ModuleWriter(self, group).text()
            if any(node.socket for node in group.nodes):
                found[socket_file(group) + ".py"] = sockets_text(self.groups, group, self.words, self.version)
        return found

    def header(self, title: str) -> str:
        """The first lines of a file."""
        return HEADER.format(title=title, version=self.version)

    def _root(self) -> str:
        lines = ""
        for resource in self.groups.resources:
            group, name = self.groups.place(resource)
            lines += f'    {resource.path[-1]} = child("{name}", "{group.module}")\n'
        return (
            self.header("The namespaces of a client, each imported when it is first used.")
            + "from aiopenai._calls.resources import SyncAPIResource, child, family\n\n"
            + 'class Resources(SyncAPIResource):\n    """The resources of a client."""\n'
            + lines
            + _FAMILY
        )


class _ModuleWriter:
    def __init__(self, writer: ResourcesWriter, group: Group) -> None:
        self.writer = writer
        self.group = group
        self.imports = Imports({*group.classes.values(), "api"})
        self.annotations = Annotations(self.imports, self._refer)

    def _refer(self, name: Name) -> str:
        place = self.writer.groups.layout.place(name)
        return self.imports.add(place.package, place.name, "Base")

    def text(self) -> str:
        """The whole module."""
        body = "\n".join(self._class(node) for node in self.group.nodes)
        for name in ("SyncAPIResource", "family"):
            self.imports.add("aiopenai._calls.resources", name)
        if any(node.methods or node.by_hand for node in self.group.nodes):
            self.imports.add("aiopenai._calls", "methods as api")
        title = f"Resources of `client.{'.'.join(self.group.path)}`."
        return self.writer.header(title) + self.imports.text() + "\n" + body + _FAMILY

    def _class(self, node: Resource) -> str:
        path = ".".join(node.path)
        head = f"class {self.group.classes[node.path]}(SyncAPIResource):\n"
        blocks = [head, f'    """`client.{path}`"""\n    _path = "{path}"\n']
        for each in node.children:
            group, name = self.writer.groups.place(each)
            self.imports.add("aiopenai._calls.resources", "child")
            elsewhere = f', "{group.module}"' if group is not self.group else ""
            blocks.append(filled(f'    {each.path[-1]} = child("{name}"{elsewhere})') + "\n")
        blocks += (self._method(node, method) for method in node.methods)
        # Without blank lines between methods: the whole surface stays below 22,000 lines.
        blocks += (self._by_hand(node, each) for each in node.by_hand)
        return "".join(blocks)

    def _method(self, node: Resource, method: Method) -> str:
        facts = self.writer.facts.of(node.path, method)
        path = f'"{method.path}"'
        reply = self._runtime_type(method.reply)
        event = self._runtime_type(method.event or NONE)
        if method.variants:
            replies = (
                f"{value}: {self._runtime_type(each.reply)}" for each in method.variants for value in each.values
            )
            arguments = [f'"{method.verb}"', path, f'"{method.chosen_by}"', f"{{{', '.join(replies)}}}", event]
            decorator = "chosen"
        elif method.streaming is not None:
            decorator, arguments = "streamed", [f'"{method.verb}"', path, reply, event]
        elif method.event is not None:
            decorator, arguments = "events", [f'"{method.verb}"', path, event]
        elif method.page:
            decorator, arguments = PAGES[method.page], [path, reply]
            if method.verb != "GET":
                arguments.append(f'verb="{method.verb}"')
        else:
            decorator, arguments = method.verb.lower(), [path, reply]
        parameters = method.variants[-1].parameters if method.variants else method.parameters
        return self._decorated(node, decorator, [*arguments, *facts], method, parameters)

    def _by_hand(self, node: Resource, method: ByHand) -> str:
        """A method with a hand-written body, or one that prepares a request of `create`."""
        helper = HELPERS[f"{'.'.join(node.path)}.{method.name}"]
        arguments = [f'"{helper.where}"']
        if helper.kind == "post":
            like = like_create(node, method)
            reply = helper.returns.partition("[")[0]
            self.imports.add(NAMES[reply], reply)
            facts = self.writer.facts.of(node.path, like)
            arguments = [f'"{like.path}"', reply, f'prepare="{helper.where}"', *facts]
        kind = "plain" if helper.kind == "connect" else helper.kind
        return self._decorated(node, kind, arguments, method, method.parameters)

    def _decorated(
        self,
        node: Resource,
        decorator: str,
        arguments: list[str],
        method: Method | ByHand,
        parameters: tuple[Parameter, ...],
    ) -> str:
        name = method.name
        path = f"{'.'.join(node.path)}.{name}"
        if method.deprecated:
            arguments = [*arguments, f'deprecated="{deprecation(path)}"']
        line = filled(f"    @api.{decorator}({', '.join(arguments)})") + "\n"
        doc = self.writer.words.method(path)
        body = "\n" + brief_docstring(doc).rstrip("\n") if doc else " ..."
        own = path in HELPERS and HELPERS[path].kind == "connect"
        shown = [each for each in parameters if own or each.name not in OPTIONS]
        texts = ["self", *(self._parameter(each) for each in shown if each.positional)]
        if named := sorted((each for each in shown if not each.positional), key=lambda each: each.optional):
            texts += ["*", *map(self._parameter, named)]
        return (
            line
            + filled(f"    def {name}({', '.join(texts)}):{body if not doc else ''}")
            + (body if doc else "")
            + "\n"
        )

    def _parameter(self, parameter: Parameter) -> str:
        if not parameter.optional:
            return parameter.name
        return f"{parameter.name}={parameter.default or self.imports.add('aiopenai._base.sentinels', 'omit')}"

    def _runtime_type(self, type_: Type) -> str:
        """A reply type as a value."""
        if isinstance(type_, Ref):
            return self._refer(type_.target)
        if type_ == Value("HttpxBinaryResponseContent"):
            return self.imports.add("aiopenai._calls.binary", "HttpxBinaryResponseContent")
        if type_ == NONE:
            return "None"
        if isinstance(type_, Value):
            return self.imports.add(SOURCES.get(type_.name, ALIASES), type_.name)
        return self.annotations.text(type_)


def like_create(node: Resource, method: ByHand) -> Method:
    """The call of a method that sends the request of the resource's `create`, prepared."""
    create = next(each for each in node.methods if each.name == "create")
    names = [each.name for each in method.parameters]
    return replace(create, name=method.name, parameters=method.parameters, places=dict.fromkeys(names, "body"))
