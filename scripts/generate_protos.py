"""Generate the committed Python code of the protocol from `proto/`.

    python scripts/generate_protos.py           writes proto/gen/amtsbruecke
    python scripts/generate_protos.py --check   writes nothing and fails where the code differs

The generated code is committed so that nobody needs a protobuf compiler to install the product.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[1] / "proto"
PACKAGE = "amtsbruecke"


def generate(into: Path) -> None:
    """Write messages, services and their types for all files of the protocol below `into`."""
    sources = sorted((PROTO / PACKAGE).rglob("*.proto"))
    services = [source for source in sources if "\nservice " in source.read_text()]
    # protoc looks for its plugins on the PATH; ours lie beside this interpreter.
    beside = Path(sys.executable).parent
    common = [
        "protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
        f"--plugin=protoc-gen-mypy={beside / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={beside / 'protoc-gen-mypy_grpc'}",
    ]
    for outputs, files in (
        ([f"--python_out={into}", f"--mypy_out=quiet:{into}"], sources),
        ([f"--grpc_python_out={into}", f"--mypy_grpc_out=quiet:{into}"], services),
    ):
        names = [str(file.relative_to(PROTO)) for file in files]
        if protoc.main([*common, *outputs, *names]) != 0:
            sys.exit("protoc failed; its message stands above")
    folders = {PACKAGE} | {
        str(parent)
        for source in sources
        for parent in source.relative_to(PROTO).parents
        if parent != Path()
    }
    for folder in folders:
        (into / folder / "__init__.py").touch()


def contents(folder: Path) -> dict[str, bytes]:
    """Return all generated files below `folder` by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".py", ".pyi"}
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check: bool = parser.parse_args().check
    committed = PROTO / "gen"
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        generate(fresh)
        new, old = contents(fresh / PACKAGE), contents(committed / PACKAGE)
        if check:
            different = sorted(
                name for name in new.keys() | old.keys() if new.get(name) != old.get(name)
            )
            if different:
                sys.exit(
                    "generated code differs from proto/ (run scripts/generate_protos.py): "
                    + ", ".join(different)
                )
            return
        for name in old.keys() - new.keys():
            (committed / PACKAGE / name).unlink()
        shutil.copytree(fresh / PACKAGE, committed / PACKAGE, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
