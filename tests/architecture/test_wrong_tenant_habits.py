"""Ways of writing that would go round the guards of tenancy are not in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("platform/centre", "platform/console", "federation", "tenants")
TENANCY = ROOT / "platform" / "centre" / "tenancy"


def _sources(*, tenancy: bool = False) -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if tenancy or TENANCY not in path.parents:
                yield path.relative_to(ROOT), ast.parse(path.read_text(), str(path))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_query_names_its_database() -> None:
    """`.using()` and `using=` skip the router, which binds rows to their tenant."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _sources()
        if "migrations" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "using")
            or any(
                keyword.arg == "using" and not isinstance(node.func, ast.Name)
                for keyword in node.keywords
            )
        )
    ]
    assert found == []


def test_only_tenancy_changes_role_and_path() -> None:
    words = ("set role", "reset role", "set search_path", "set local search_path", "'role'")
    found = [
        f"{path}:{node.lineno}"
        for path, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(node.value.lower().lstrip().startswith(word) for word in words)
    ]
    assert found == []


def test_django_tenants_is_used_behind_tenancy_only() -> None:
    """Its context managers and `with tenant:` share state between threads."""
    allowed = {
        "platform/centre/registry/models.py": {"DomainMixin", "TenantMixin"},
        "platform/centre/registry/migrations/0001_initial.py": {"base"},
    }
    found = [
        f"{path}: {name}"
        for path, tree in _sources()
        for name in _imports(tree)
        if name.startswith("django_tenants")
        and name.rpartition(".")[2] not in allowed.get(path.as_posix(), set())
    ]
    assert found == []


def test_nobody_leans_on_content_types() -> None:
    """Their ids differ between schemas, and Django caches them for the whole process."""
    risky = {"ContentType", "GenericForeignKey", "GenericRelation", "PermissionsMixin"}
    found = [
        f"{path}: {name}"
        for path, tree in _sources()
        for name in _imports(tree)
        if name.rpartition(".")[2] in risky
    ]
    assert found == []


def test_no_request_is_wrapped_in_a_transaction() -> None:
    """`ATOMIC_REQUESTS` breaks asynchronous views, and would begin before the tenant is known."""
    found = [
        path
        for path, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "ATOMIC_REQUESTS"
    ]
    assert found == []
