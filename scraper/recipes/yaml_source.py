"""YAML parser that returns plain data with line numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

#: A key's path from the root: names of mappings and indexes (from 0) of lists.
KeyPath = tuple[str | int, ...]
_STR: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
# No real recipe comes near these bounds. With aliases, a few lines stand for billions of values.
MAX_BYTES: Final = 256 * 1024
_MAX_NODES: Final = 10_000
_MAX_DEPTH: Final = 50
_MAX_FAULTS: Final = 100
# A number or date is not longer; Python needs very long for some that are.
_MAX_SCALAR_LENGTH: Final = 1000
# What the keys that an author chooses have in common.
_NAME: Final = re.compile("[a-z][a-z0-9_-]*")


@dataclass
class YamlSource:
    """A parsed YAML document."""

    data: Any = None
    #: The line of each key, from 1.
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    #: The text of each value that YAML does not parse as a string, such as `0123` or `off`.
    texts: dict[KeyPath, str] = field(default_factory=dict)
    #: Line, key and reason of each fault.
    faults: list[tuple[int, KeyPath, str]] = field(default_factory=list)
    #: False if the text is not YAML; `data` is None then.
    is_valid: bool = True

    def nearest(self, key: KeyPath) -> KeyPath:
        """Return the key, or its closest ancestor in the document."""
        return nearest_key(key, self.lines)


def nearest_key(key: KeyPath, lines: Mapping[KeyPath, int]) -> KeyPath:
    """Return the key, or its closest ancestor among those with a line.

    Args:
        key: The key.
        lines: The line of each key; the root, `()`, has one.
    """
    while key not in lines:
        key = key[:-1]
    return key


def parse_yaml(content: bytes) -> YamlSource:
    """Parse one YAML document with YAML 1.1's safe types; never raise for its content.

    Faults, in addition to invalid YAML, are duplicate keys, keys that are not strings, merge keys,
    aliases that contain themselves, and sizes that no recipe needs. The data contains the other
    keys nevertheless, so that all faults can be reported at once.

    Args:
        content: The document, in UTF-8.
    """
    source = YamlSource()
    if len(content) > MAX_BYTES:
        _invalidate(source, 1, f"is larger than {MAX_BYTES // 1024} KiB")
        return source
    try:
        _parse(content.decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        _invalidate(source, content[: error.start].count(b"\n") + 1, "is not UTF-8")
    except yaml.reader.ReaderError as error:
        line = content.decode("utf-8-sig")[: error.position].count("\n") + 1
        _invalidate(source, line, f"contains #x{error.character:04x}, which YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _invalidate(source, mark.line + 1 if mark else 1, f"is not valid YAML: {error.problem}")
    except RecursionError:
        _invalidate(source, 1, "is nested too deeply")
    except _TooLargeError as error:
        _invalidate(source, error.line, str(error))
    return source


def _parse(text: str, source: YamlSource) -> None:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            source.data = _Builder(loader, source).build(node, (), ())
    finally:
        loader.dispose()


def _invalidate(source: YamlSource, line: int, reason: str) -> None:
    source.faults.append((line, (), reason))
    source.is_valid = False
    source.data = None


class _TooLargeError(Exception):
    """A document has more values, or more levels, than any recipe.

    Attributes:
        line: The line of the first value beyond the bound.
    """

    def __init__(self, reason: str, line: int) -> None:
        self.line = line
        super().__init__(reason)


class _Builder:
    """Builds data from YAML nodes and records lines and faults."""

    def __init__(self, loader: yaml.SafeLoader, source: YamlSource) -> None:
        self._loader = loader
        self._source = source
        self._nodes = 0

    def build(self, node: yaml.Node, key: KeyPath, ancestors: tuple[yaml.Node, ...]) -> Any:
        self._source.lines.setdefault(key, node.start_mark.line + 1)
        if node in ancestors:
            return self._reject(node, key, "contains itself")
        self._count(node, len(ancestors))
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._build_mapping(node, key, (*ancestors, node))
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [
                self.build(item, (*key, number), (*ancestors, node))
                for number, item in enumerate(node.value)
            ]
        return self._build_scalar(node, key)

    def _build_scalar(self, node: yaml.Node, key: KeyPath) -> Any:
        kind = node.tag.rpartition(":")[2]
        if not isinstance(node, yaml.ScalarNode):  # a set, for example
            return self._reject(node, key, f"is not supported in a recipe: {kind}")
        if node.tag != _STR and len(node.value) > _MAX_SCALAR_LENGTH:
            return self._reject(node, key, f"is not a valid {kind}")
        try:
            value = self._loader.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            return self._reject(node, key, f"is not supported in a recipe: {error.problem}")
        except (ValueError, LookupError, AttributeError):  # for example a date with month 13
            return self._reject(node, key, f"is not a valid {kind}")
        if not isinstance(value, str):
            self._source.texts[key] = node.value
        return value

    def _count(self, node: yaml.Node, depth: int) -> None:
        self._nodes += 1
        line = node.start_mark.line + 1
        if self._nodes > _MAX_NODES:
            reason = f"has more than {_MAX_NODES} values, with those that aliases repeat"
            raise _TooLargeError(reason, line)
        if depth > _MAX_DEPTH:
            reason = "is nested too deeply"
            raise _TooLargeError(reason, line)

    def _build_mapping(
        self, node: yaml.MappingNode, key: KeyPath, ancestors: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != _STR:
                self._reject(name_node, key, _describe_invalid_key(name_node))
            elif name in data:
                self._reject(name_node, (*key, name), "duplicate key")
            else:
                self._source.lines[(*key, name)] = name_node.start_mark.line + 1
                data[name] = self.build(value_node, (*key, name), ancestors)
        return data

    def _reject(self, node: yaml.Node, key: KeyPath, reason: str) -> None:
        if len(self._source.faults) < _MAX_FAULTS:
            self._source.faults.append((node.start_mark.line + 1, key, reason))


def _describe_invalid_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "has a key that is not a string"
    if node.value == "<<":
        return "merge keys (<<) are not supported"
    if not _NAME.fullmatch(node.value):
        return (
            f"key {node.value or '(empty)'} is not a name: a name begins with a lower-case letter"
        )
    likeness = " (like on, off, yes and no)" if node.tag == _BOOL else ""
    return f"key {node.value} is not a string in YAML{likeness}: put it in quotes"
