#!/bin/sh
# Writes the committed OpenAPI document of each service; CI fails when one differs.
set -eu
cd "$(dirname "$0")"
for service in checkout consultation notifier calendar-projector; do
    ../.venv/bin/python -m "$(echo "$service" | tr - _)" openapi > "$service/openapi.json.new"
    mv "$service/openapi.json.new" "$service/openapi.json"
done
