"""Writes what is generated of the clients: two of the committed documents in docs/, one of the events' schemas.

    .venv/bin/python -m clients.generate

Python: the models by datamodel-code-generator, callers and problems by `python_operations.py`. TypeScript: the schema
by openapi-typescript, and which service has which path. Events: their types by json-schema-to-typescript.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from clients.python_operations import caller, operator, problems
from tests.api.contract.documents import Json, read, spelled_out
from tests.api.join import joined_file

from booking_contracts.generate import PACKAGE
from booking_contracts.topics import EVENTS as CATALOGUE
from booking_local.packages import UnavailableError, node_with, python_with

DOCUMENT, OPERATORS = joined_file("openapi"), joined_file("openapi-operators")
HERE = Path(__file__).parent
PYTHON = HERE / "python" / "src" / "booking_client"
TYPESCRIPT = HERE / "typescript" / "src"
EVENTS_PACKAGE = HERE / "events" / "src"
LOCKED = ("package.json", "package-lock.json")
"""The files of a package for Node that say what is installed for it."""


async def python(folder: Path) -> list[Path]:
    """Write the Python client's files into this folder. Raises UnavailableError where the generator can't be had."""
    document, models = spelled_out(read(DOCUMENT)), folder / "models.py"
    generator = await python_with(HERE / "locks" / "datamodel-codegen.txt")
    command = generator.with_name("datamodel-codegen")
    await _run(command, *_MODELS, _HEADED.format(DOCUMENT.name), "--input", DOCUMENT, "--output", models)
    written = [models, folder / "caller.py", folder / "problems.py"]
    written[1].write_text(caller(document), "utf-8")
    written[2].write_text(problems(document), "utf-8")
    operators = [folder / "operator_models.py", folder / "operators.py"]
    await _run(command, *_MODELS, _HEADED.format(OPERATORS.name), "--input", OPERATORS, "--output", operators[0])
    operators[1].write_text(operator(spelled_out(read(OPERATORS))), "utf-8")
    written += operators
    await _run(_RUFF, "check", "--quiet", "--fix-only", "--select", "I,UP,F401", *written)
    await _run(_RUFF, "format", "--quiet", *written)
    return written


_MODELS = (
    "--input-file-type=openapi",
    "--openapi-scopes=schemas",
    "--output-model-type=typing.TypedDict",
    "--target-python-version=3.11",
    "--enum-field-as-literal=all",
    "--use-union-operator",
    "--use-standard-collections",
    "--use-schema-description",
    "--use-field-description",
    "--formatters=builtin",
    "--disable-timestamp",
)
_HEADED = "--custom-file-header=# Generated of docs/{} by `make generate`."
_RUFF = Path(sys.executable).with_name("ruff")


async def typescript(folder: Path) -> list[Path]:
    """As above, the TypeScript client's."""
    document = read(DOCUMENT)
    node, packages = await node_with(TYPESCRIPT.parent, *LOCKED)
    generator = packages / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    written = [folder / "schema.d.ts", folder / "operations.ts"]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as bare:
        json.dump(_bare(document), bare)
        bare.flush()
        # By itself the generator takes a default for a promise that the value is there, and asks for it in bodies.
        await _run(node, generator, bare.name, "--output", written[0], "--default-non-nullable=false")
    written[1].write_text(_services(document), "utf-8")
    return written


async def events(folder: Path) -> list[Path]:
    """As above, the types of events, of the schemas of `booking_contracts`."""
    node, packages = await node_with(EVENTS_PACKAGE.parent, *LOCKED)
    generator = packages / "node_modules" / "json-schema-to-typescript" / "dist" / "src" / "cli.js"
    written = folder / "events.ts"
    schemas = _schemas()
    parts = {name: part for schema in schemas.values() for name, part in schema.pop("$defs", {}).items()}
    told = {schema["title"]: schema for schema in schemas.values()}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as whole:
        json.dump({"title": "Schemas", "$defs": {**told, **parts}}, whole)
        whole.flush()
        words = ("--unreachableDefinitions", "--additionalProperties=false", "--bannerComment", _EVENTS_BANNER)
        await _run(node, generator, *words, whole.name, written)
    types = {_type(name): schema["title"] for name, schema in schemas.items()}
    text = written.read_text("utf-8")
    for made_up in _ABOUT_THE_WHOLE:
        text = re.sub(made_up, "", text)
    written.write_text(text + _by_type(types), "utf-8")
    return [written]


_ABOUT_THE_WHOLE = (
    r"export interface Schemas \{\n  \[k: string\]: unknown;\n\}\n",
    r"(?: \*\n)? \* This interface was referenced by `Schemas`'s JSON-Schema\n \* via the `definition` \"\w+\"\.\n",
)
"""What the generator says of the schema that all are wrapped in."""
_EVENTS_BANNER = "// Generated of the schemas in shared/contracts by `make generate`."


def _schemas() -> dict[str, Json]:
    """Each schema by its file's name, `SessionScheduled.v1`; an older version than today's has it in its title."""
    found: dict[str, Json] = {}
    for file in sorted((PACKAGE / "schemas").glob("*.json")):
        title, _, version = file.stem.rpartition(".v")
        title = title if int(version) == CATALOGUE[title].TYPE_VERSION else f"{title}V{version}"
        kept = {key: value for key, value in read(file).items() if key not in {"$id", "$schema"}}
        found[file.stem] = {**kept, "title": title}
    return found


def _type(name: str) -> str:
    title, _, version = name.rpartition(".v")
    return f"{CATALOGUE[title].NAMESPACE}.{title}.v{version}"


def _by_type(types: dict[str, str]) -> str:
    lines = [f"  {json.dumps(full)}: {name};" for full, name in sorted(types.items())]
    listed = [f"  {json.dumps(full)}," for full in sorted(types)]
    return "\n".join(
        [
            "",
            "/** The data of each type of event. */",
            "export interface Data {",
            *lines,
            "}",
            "",
            "/** Every type that this version knows. */",
            "export const TYPES: readonly (keyof Data)[] = [",
            *listed,
            "];",
            "",
        ]
    )


def _bare(node: Any) -> Any:
    """The document without what no type needs: examples, and headers of answers but for the tag."""
    match node:
        case {"description": str(), "headers": dict(headers)}:
            tag = {name: value for name, value in headers.items() if name == "ETag"}
            return {**{key: _bare(value) for key, value in node.items()}, "headers": tag}
        case {"schema": _}:
            return {key: _bare(value) for key, value in node.items() if key not in {"example", "examples"}}
        case dict():
            return {key: _bare(value) for key, value in node.items()}
        case list():
            return [_bare(value) for value in node]
        case _:
            return node


def _services(document: Json) -> str:
    at = {path: next(iter(item["servers"][0]["variables"])) for path, item in document["paths"].items()}
    lines = [f"  {json.dumps(path)}: {json.dumps(service)}," for path, service in sorted(at.items())]
    names = " | ".join(json.dumps(name) for name in sorted(set(at.values())))
    return "\n".join(
        [
            "// Generated of docs/openapi.json by `make generate`.",
            'import type { paths } from "./schema.d.ts";',
            "",
            f"export type Service = {names};",
            "",
            "/** Which service has which path. */",
            "export const SERVICE_OF: Record<keyof paths, Service> = {",
            *lines,
            "};",
            "",
        ]
    )


async def _run(*words: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    told, _ = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode != 0:
        raise RuntimeError(f"{Path(words[0]).name}: {told.decode()}")


async def _all() -> None:
    await python(PYTHON)
    await typescript(TYPESCRIPT)
    await events(EVENTS_PACKAGE)


def main() -> int:
    """The command."""
    try:
        asyncio.run(_all())
    except UnavailableError as reason:
        sys.stderr.write(f"The clients were not generated: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
