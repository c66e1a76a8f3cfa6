"""The Redis users of `deploy/redis`: rules, variables, documentation."""

import re

import pytest

from tests.support.manifests import CONTAINERS, KUSTOMIZATIONS, read
from tests.support.paths import ROOT

_FOLDER = ROOT / "deploy" / "redis"
_ACL = (_FOLDER / "users.acl").read_text(encoding="utf-8").replace(" \\\n", "")
_DOCS = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")
#: The rules by user, without the password.
_RULES = dict(re.findall(r"^user (\w+) (?:on >\S+|\$\{.*?\}) (.*)$", _ACL, re.MULTILINE))
_SCRIPTS = ROOT / "jobs" / "redis" / "lua_scripts"
_PROGRAMS = ("api", "worker", "webhooks", "flower", "keda")


class TestUsers:
    def test_are_one_for_each_program_and_the_administrator(self) -> None:
        assert _RULES.keys() == {"default", *_PROGRAMS}

    @pytest.mark.parametrize("user", _PROGRAMS)
    def test_have_nothing_by_default(self, user: str) -> None:
        rules = _RULES[user].split()

        assert rules[0] == "-@all"
        assert not {"~*", "&*", "allkeys", "allcommands", "allchannels", "nopass"} & set(rules)
        # The only category has no command on data.
        assert [rule for rule in rules if rule.startswith("+@")] == ["+@connection"]
        assert rules.index("-@dangerous") == rules.index("+@connection") + 1

    @pytest.mark.parametrize("user", ["api", "worker", "webhooks"])
    def test_may_run_the_commands_of_the_lua_scripts(self, user: str) -> None:
        scripts = {path.name: path.read_text(encoding="utf-8") for path in _SCRIPTS.glob("*.lua")}
        if user != "worker":
            del scripts["append_page.lua"]
        used = set(re.findall(r"redis\.p?call\('(\w+)'", "".join(scripts.values())))

        assert used
        assert {f"+{command.lower()}" for command in used} <= set(_RULES[user].split())

    def test_are_documented(self) -> None:
        documented = dict(re.findall(r"^user (\w+) on >\w+ (.*)$", _DOCS, re.MULTILINE))

        assert documented == {name: _RULES[name] for name in _PROGRAMS}


class TestStart:
    def test_reads_variables_that_compose_and_kubernetes_set(self) -> None:
        script = (_FOLDER / "start.sh").read_text(encoding="utf-8")
        [compose] = read(ROOT / "docker-compose.yml")
        used = set(re.findall(r"\$\{?(REDIS\w+)", _ACL + script))
        environment = {variable["name"] for variable in CONTAINERS["redis"]["env"]}

        assert environment == used
        assert compose["services"]["redis"]["environment"].keys() == used - {"REDIS_KEDA_PASSWORD"}

    def test_is_mounted_with_all_files_that_it_reads(self) -> None:
        [generator] = KUSTOMIZATIONS[_FOLDER]["configMapGenerator"]
        files = {path.name for path in _FOLDER.iterdir()} - {"kustomization.yaml"}

        assert set(generator["files"]) == files
        assert CONTAINERS["redis"]["args"][:2] == ["sh", "/etc/redis/start.sh"]
