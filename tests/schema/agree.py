# SPDX-License-Identifier: Apache-2.0
"""Compares nestplan's verdicts on labs (JSON objects on standard input) with those of its JSON Schema.

What the schema refuses nestplan refuses; the other way round nestplan knows more. YAML is read by the core schema of YAML 1.2.
"""
import json
import re
import sys

import jsonschema
import yaml


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema; keys are always text."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def construct_int(self, node):
        text = node.value.replace("+", "")
        return int(text, 0) if re.match("0[ox]", text) else int(text, 10)


Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789"))
Core.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(
    r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)$"), list("-+.0123456789"))
Core.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
Core.add_constructor("tag:yaml.org,2002:int", Core.construct_int)
Core.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node))


def main():
    schema = json.load(open(sys.argv[1], encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    bad = 0
    for number, line in enumerate(sys.stdin):
        lab = json.loads(line)
        try:
            valid = judge.is_valid(yaml.load(lab["text"], Loader=Core))
        except (yaml.YAMLError, ValueError):
            valid = False
        counts[lab["ok"], valid] += 1
        if number == 0 and not (lab["ok"] and valid):
            print("the lab without a change is refused:", lab["says"], lab["text"], sep="\n")
            bad += 1
        if lab["ok"] and not valid:
            bad += 1
            if bad <= 20:
                error = next(judge.iter_errors(yaml.load(lab["text"], Loader=Core)), None)
                print(f"only nestplan takes: {lab['change']}\n  schema: {error.message[:200] if error else 'not YAML'}")
    print(f"{sum(counts.values())} labs: both take {counts[True, True]}, both refuse {counts[False, False]}, "
          f"only nestplan refuses {counts[False, True]}, only the schema refuses {counts[True, False]}")
    if sum(counts.values()) < 2000:
        bad += 1
        print("these are fewer than 2,000")
    return 1 if bad else 0


sys.exit(main())
