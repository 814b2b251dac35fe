"""The JSON Schema of each problem code, of what is raised: RFC 9457's members and the code's own."""

from typing import Any

from booking_web.problems import SAID, Problem

_REF = "#/components/schemas/{model}"


def problem_schemas(name: str) -> dict[str, dict[str, Any]]:
    """The schema of this name and those that it refers to. KeyError for a name that no problem has."""
    problem = SAID[name]
    own, beside = _members(problem)
    described = f"{problem.status} `{problem.code}`."
    if problem.said is not None:
        described += " " + " ".join((type(problem.said).__doc__ or "").split())
    properties = {
        "type": {"type": "string", "format": "uri", "const": f"urn:booking:problem:{problem.code}"},
        "title": {"type": "string"},
        "status": {"type": "integer", "const": problem.status},
        "code": {"type": "string", "const": problem.code},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
    }
    schema = {
        "title": name,
        "description": described,
        "type": "object",
        "required": [*properties, *own.get("required", [])],
        "properties": properties | own.get("properties", {}),
    }
    return {name: schema, **beside}


def _members(problem: Problem) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    if problem.said is None:
        return {}, {}
    own = type(problem.said).model_json_schema(ref_template=_REF, mode="serialization")
    return own, own.pop("$defs", {})
