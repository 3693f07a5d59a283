"""Holds requests against a forge's published description (OpenAPI 3): what does not fit is printed, a line each.

Arguments: the description, and what stands before its paths. Input: a JSON list of objects with method, path, query and
body. What a description does not name is wrong too, although JSON Schema would let it pass: it would be ignored.
"""

import json
import re
import sys
import urllib.parse

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

ADDRESS = "urn:description"


def with_null(node):
    """`nullable` is OpenAPI 3.0's own word for what JSON Schema calls the type null."""
    if isinstance(node, list):
        return [with_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: with_null(value) for key, value in node.items()}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    return node


def pattern(template):
    parts = re.split(r"\{([^}]+)\}", template)
    named = [f"(?P<{re.sub(r'[^A-Za-z0-9]', '_', part)}>[^/]+)" if odd % 2 else re.escape(part)
             for odd, part in enumerate(parts)]
    return re.compile("".join(named))


class Description:
    def __init__(self, path, prefix):
        with open(path, encoding="utf-8") as file:
            self.whole = with_null(json.load(file))
        self.prefix = prefix
        self.registry = Registry().with_resource(ADDRESS, DRAFT202012.create_resource(self.whole))

    def faults(self, schema, value):
        # `$ref`s that begin with `#` are about the description.
        schema = json.loads(json.dumps(schema).replace('"$ref": "#', f'"$ref": "{ADDRESS}#'))
        validator = jsonschema.Draft202012Validator(schema, registry=self.registry)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]

    def resolved(self, node):
        while "$ref" in node:
            found = self.whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def unknown(self, schema, value, place=""):
        schema = self.resolved(schema)
        for option in ("oneOf", "anyOf", "allOf"):
            if option in schema:
                each = [list(self.unknown(one, value, place)) for one in schema[option]]
                yield from min(each, key=len)
                return
        if not isinstance(value, dict) or "properties" not in schema:
            return
        for key, inner in value.items():
            if key in schema["properties"]:
                yield from self.unknown(schema["properties"][key], inner, f"{place}{key}.")
            elif not schema.get("additionalProperties"):
                yield f"`{place}{key}` is not described"

    def check(self, request):
        if not request["path"].startswith(self.prefix + "/"):
            return [f"the path does not begin with {self.prefix}"]
        path = request["path"].removeprefix(self.prefix)
        fits = [(template, pattern(template).fullmatch(path)) for template in self.whole["paths"]]
        fits = sorted((found for found in fits if found[1]), key=lambda found: found[0].count("{"))
        if not fits:
            return ["no such path is described"]
        template, match = fits[0]
        item = self.whole["paths"][template]
        operation = item.get(request["method"].lower())
        if operation is None:
            return [f"{template} has no {request['method']}"]
        parameters = [self.resolved(one) for one in item.get("parameters", []) + operation.get("parameters", [])]
        wrong = []
        query = dict(urllib.parse.parse_qsl(request["query"] or "", keep_blank_values=True))
        for parameter in parameters:
            name, where = parameter["name"], parameter["in"]
            if where == "path":
                text = urllib.parse.unquote(match[re.sub(r"[^A-Za-z0-9]", "_", name)])
            elif where == "query":
                text = query.pop(name, None)
            else:
                continue
            if text is None:
                if parameter.get("required"):
                    wrong.append(f"the parameter {name} is missing")
                continue
            schema = self.resolved(parameter.get("schema", {}))
            value = int(text) if schema.get("type") == "integer" and text.lstrip("-").isdigit() else text
            wrong += [f"the parameter {name}{fault}" for fault in self.faults(schema, value)]
        wrong += [f"the parameter {name} is not described" for name in query]
        body = operation.get("requestBody")
        if body is None:
            if request["body"] is not None:
                wrong.append("a body is not described")
            return wrong
        schema = self.resolved(body)["content"]["application/json"]["schema"]
        if request["body"] is None:
            return wrong + (["the body is missing"] if body.get("required") else [])
        wrong += [f"the body: {fault}" for fault in self.faults(schema, request["body"])]
        return wrong + [f"the body: {fault}" for fault in self.unknown(schema, request["body"])]


def main():
    description = Description(sys.argv[1], sys.argv[2])
    for request in json.load(sys.stdin):
        for fault in description.check(request):
            print(f"{request['method']} {request['path']}: {fault}")


main()
