"""Parse YAML into plain data with line numbers."""

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

#: A key's path from the top: names of mappings and numbers (from 0) of lists.
Key = tuple[str | int, ...]
_STR: Final = "tag:yaml.org,2002:str"


@dataclass
class YamlSource:
    """What a YAML text holds."""

    data: Any = None
    lines: dict[Key, int] = field(default_factory=lambda: {(): 1})  #: from 1
    faults: list[tuple[int, Key, str]] = field(default_factory=list)  #: line, key, reason
    is_valid: bool = True  #: False if the text is no YAML, and `data` nothing

    def nearest(self, key: Key) -> Key:
        """The key itself, or what of its path stands in the text."""
        while key not in self.lines:
            key = key[:-1]
        return key


def parse_yaml(content: bytes) -> YamlSource:
    """Read one YAML document as YAML 1.1's safe types; what is wrong with it is in `faults`.

    Refused, besides what is no YAML: a key twice in one mapping, a key that is no text, merge
    keys, an alias inside what it stands for. The data holds the other keys all the same, so that
    their faults can be told in one go.
    """
    source = YamlSource()
    loader = None
    try:
        loader = yaml.SafeLoader(content.decode("utf-8-sig"))
        node = loader.get_single_node()
        if node is not None:
            source.data = _Builder(loader, source).build(node, (), ())
    except UnicodeDecodeError as error:
        _give_up(source, content[: error.start].count(b"\n") + 1, "is not UTF-8")
    except yaml.reader.ReaderError as error:
        line = content.decode("utf-8-sig")[: error.position].count("\n") + 1
        _give_up(source, line, f"holds #x{error.character:04x}, which YAML does not allow")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _give_up(source, mark.line + 1 if mark else 1, f"is no YAML: {error.problem}")
    except RecursionError:
        _give_up(source, 1, "is nested too deeply")
    finally:
        if loader is not None:
            loader.dispose()
    return source


def _give_up(source: YamlSource, line: int, reason: str) -> None:
    source.faults.append((line, (), reason))
    source.is_valid = False
    source.data = None


class _Builder:
    """Turns YAML's nodes into data and notes the lines and the faults."""

    def __init__(self, loader: yaml.SafeLoader, source: YamlSource) -> None:
        self._loader = loader
        self._source = source

    def build(self, node: yaml.Node, key: Key, above: tuple[yaml.Node, ...]) -> Any:
        self._source.lines.setdefault(key, node.start_mark.line + 1)
        if node in above:
            return self._refuse(node, key, "holds itself")
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._build_mapping(node, key, (*above, node))
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [
                self.build(item, (*key, number), (*above, node))
                for number, item in enumerate(node.value)
            ]
        try:
            return self._loader.construct_object(node, deep=True)
        except yaml.MarkedYAMLError as error:
            return self._refuse(node, key, f"is no YAML for a recipe: {error.problem}")
        except (ValueError, LookupError, AttributeError):  # such as a date with a month 13
            return self._refuse(node, key, f"is no {node.tag.rpartition(':')[2]}")

    def _build_mapping(
        self, node: yaml.MappingNode, key: Key, above: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != _STR:
                self._refuse(name_node, key, _no_text(name_node))
            elif name in data:
                self._refuse(name_node, (*key, name), "key is there twice")
            else:
                self._source.lines[(*key, name)] = name_node.start_mark.line + 1
                data[name] = self.build(value_node, (*key, name), above)
        return data

    def _refuse(self, node: yaml.Node, key: Key, reason: str) -> None:
        self._source.faults.append((node.start_mark.line + 1, key, reason))


def _no_text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "has a key that is no text"
    if node.value == "<<":
        return "merge keys (<<) are not taken"
    return f"key {node.value} is no text for YAML (as on, off, yes and no): put it in quotes"
