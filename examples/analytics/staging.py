"""Write dbt's staging models from the contract: one view for each type of event, its fields as typed columns, told and tested as the schema
says. `python staging.py` after a new release of the contracts; `--check` says which files differ.

A field of an object is a column of its own (`product_tier`), an amount of money two (`amount`, `currency`; `price_amount`, `price_currency`).
What never comes into the lake has no column.
"""

# pyright: reportMissingModuleSource=false
import argparse
import re
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
    schema, out = contract.schema_of(event), contract.left_out(event)
    shared = schema.get("$defs", {})
    found = []
    for name, field in schema["properties"].items():
        part = shared.get(field.get("$ref", "").rpartition("/")[2], field)
        if out.get(name) is True:
            continue
        if "properties" not in part:
            found.append(
                (
                    NAMES.get(name, name),
                    f"data->>'{name}'",
                    kind(part),
                    field | {"needed": name in schema.get("required", ())},
                )
            )
            continue
        for inner, deep in part["properties"].items():
            if out.get(name, {}).get(inner) is not True:
                column = inner if name == "amount" else f"{name}_{inner}"
                found.append((column, f"data->'{name}'->>'{inner}'", kind(deep), deep | {"needed": False}))
    return found


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
