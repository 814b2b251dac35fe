"""Write dbt's staging models from the contract: one view for each type of event, its fields as typed columns, told and tested as the schema
says. `python staging.py` after a new release of the contracts; `--check` says which files differ.

A field of an object is a column of its own, however deep (`product_tier`), an amount of money two (`amount`, `currency`; `price_amount`, `price_currency`;
`refund_amount`, `refund_currency`).
What never comes into the lake has no column.
"""

# pyright: reportMissingModuleSource=false
import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

import contract

FOLDER = Path(__file__).parent / "dbt" / "models" / "staging"
KINDS = {"uuid": "uuid", "date-time": "timestamptz", "date": "date", "integer": "bigint", "boolean": "boolean"}
FIRST = "-- Written by staging.py from the contract: not by hand.\n"
NAMES = {"at": "delivered_at", "topic": "about_topic", "topic_id": "about_topic_id"}  # words of SQL's own, and of the lake's
ENVELOPE = ["ce_id", "ce_sequence", "happened_at", "recorded_at", "actor", "correlation_id", "causation_id"]


def columns(event) -> list[tuple[str, str, str, dict]]:
    """Of each column its name, the way to its value, its type, and what the schema says of it."""
    schema = contract.schema_of(event)
    return [*_columns(schema["properties"], schema.get("$defs", {}), contract.left_out(event), (), schema.get("required", ()))]


def _columns(fields: dict, shared: dict, out: dict, above: tuple[str, ...], required: Sequence[str]) -> Iterator[tuple[str, str, str, dict]]:
    """Those of the fields of one object, `above` which its own names stand; what is within another may be missing with it."""
    for name, field in fields.items():
        part, left_out = shared.get(field.get("$ref", "").rpartition("/")[2], field), out.get(name, {})
        if left_out is True:
            continue
        if "properties" in part:
            yield from _columns(part["properties"], shared, left_out, (*above, name), ())
            continue
        column = "_".join([*(word for word in above if word != "amount"), name])
        way = "->".join(["data", *(f"'{word}'" for word in above)])
        yield NAMES.get(column, column), f"{way}->>'{name}'", kind(part), field | {"needed": name in required}


def kind(field: dict) -> str:
    return KINDS.get(field.get("format") or field.get("type", ""), "varchar")


def model_name(event) -> str:
    return "stg_" + re.sub(r"(?<!^)(?=[A-Z])", "_", event.TYPE).lower()


def sql(topic, event) -> str:
    typed = [f"({way})::{of} as {name}" for name, way, of, _ in columns(event)]
    listed = ",\n    ".join([*ENVELOPE, *typed])
    where = f"topic = '{topic.name}' and type = '{event.TYPE}' and data is not null"
    return f"{FIRST}select\n    {listed}\nfrom {{{{ source('landed', 'event') }}}}\nwhere {where}\n"


def told(event) -> dict:
    """The model in dbt's own words: what each column means, whose data it is, which values it takes, and that it is there."""
    listed = [{"name": "ce_id", "data_tests": ["unique", "not_null"]}]
    for name, _, _, field in columns(event):
        column = {"name": name, "description": field.get("description", "")}
        meta = {name: field[f"x-{name}"] for name in ("unit", "personal-data", "decimals") if f"x-{name}" in field}
        tests: list = ["not_null"] if field["needed"] else []
        if len(values := [value for value in field.get("enum", []) if isinstance(value, str)]) > 1:
            tests.append({"accepted_values": {"arguments": {"values": values}}})
        column |= {"config": {"meta": meta}} if meta else {}
        column |= {"data_tests": tests} if tests else {}
        listed.append(column)
    return {"name": model_name(event), "description": contract.schema_of(event)["description"], "columns": listed}


def files() -> dict[Path, str]:
    pairs = [(topic, event) for topic in contract.LANDED for event in topic.events]
    models = {"version": 2, "models": [told(event) for _, event in pairs]}
    words = FIRST.replace("--", "#") + yaml.safe_dump(models, sort_keys=False, width=150, allow_unicode=True)
    return {FOLDER / "staging.yml": words} | {FOLDER / f"{model_name(event)}.sql": sql(topic, event) for topic, event in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check, wanted = parser.parse_args().check, files()
    there = {path: path.read_text("utf-8") for path in FOLDER.glob("stg_*.sql")} | {path: path.read_text("utf-8") for path in FOLDER.glob("*.yml")}
    differing = sorted(path.name for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))
    if check:
        raise SystemExit(f"stale, run python staging.py: {', '.join(differing)}" if differing else 0)
    for path in there.keys() - wanted.keys():
        path.unlink()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
