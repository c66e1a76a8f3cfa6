"""YAML parser that returns plain data with line numbers."""

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

#: A key's path from the root: names of mappings and indexes (from 0) of lists.
KeyPath = tuple[str | int, ...]
_STR: Final = "tag:yaml.org,2002:str"


@dataclass
class YamlSource:
    """A parsed YAML document."""

    data: Any = None
    #: The line of each key, from 1.
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    #: Line, key and reason of each fault.
    faults: list[tuple[int, KeyPath, str]] = field(default_factory=list)
    #: False if the text is not YAML; `data` is None then.
    is_valid: bool = True

    def nearest(self, key: KeyPath) -> KeyPath:
        """Return the key, or its closest ancestor in the document."""
        while key not in self.lines:
            key = key[:-1]
        return key


def parse_yaml(content: bytes) -> YamlSource:
    """Parse one YAML document with YAML 1.1's safe types; never raise for its content.

    Faults, in addition to invalid YAML, are duplicate keys, keys that are not strings, merge keys,
    and aliases that contain themselves. The data contains the other keys nevertheless, so that all
    faults can be reported at once.

    Args:
        content: The document, in UTF-8.
    """
    source = YamlSource()
    loader = None
    try:
        loader = yaml.SafeLoader(content.decode("utf-8-sig"))
        node = loader.get_single_node()
        if node is not None:
            source.data = _Builder(loader, source).build(node, (), ())
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
    finally:
        if loader is not None:
            loader.dispose()
    return source


def _invalidate(source: YamlSource, line: int, reason: str) -> None:
    source.faults.append((line, (), reason))
    source.is_valid = False
    source.data = None


class _Builder:
    """Builds data from YAML nodes and records lines and faults."""

    def __init__(self, loader: yaml.SafeLoader, source: YamlSource) -> None:
        self._loader = loader
        self._source = source

    def build(self, node: yaml.Node, key: KeyPath, ancestors: tuple[yaml.Node, ...]) -> Any:
        self._source.lines.setdefault(key, node.start_mark.line + 1)
        if node in ancestors:
            return self._reject(node, key, "contains itself")
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._build_mapping(node, key, (*ancestors, node))
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [
                self.build(item, (*key, number), (*ancestors, node))
                for number, item in enumerate(node.value)
            ]
        try:
            return self._loader.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            return self._reject(node, key, f"is not supported in a recipe: {error.problem}")
        except (ValueError, LookupError, AttributeError):  # for example a date with month 13
            return self._reject(node, key, f"is not a valid {node.tag.rpartition(':')[2]}")

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
        self._source.faults.append((node.start_mark.line + 1, key, reason))


def _describe_invalid_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "has a key that is not a string"
    if node.value == "<<":
        return "merge keys (<<) are not supported"
    return f"key {node.value} is not a string in YAML (like on, off, yes and no): put it in quotes"
