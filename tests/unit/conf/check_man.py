#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds portcullis.conf(5) and the example file to the table of keys.

usage: check_man.py CONF_KEYS PAGE EXAMPLE

CONF_KEYS is the program that prints the table, or reads a file.  In the page every key has
an item ".It Ic KEY" that gives its limits and its default; no other item is
of that form.  The example must be good, and a comment "#key = value" in it
must show a default.
"""

import re
import subprocess
import sys


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read_table(program):
    names = ("key", "type", "unit", "least", "most", "default")
    return [dict(zip(names, line.split("\t")))
            for line in run(program).stdout.splitlines()]


def read_items(page):
    """The text of each ".It Ic KEY" item, by key, in the page's order."""
    items, key = {}, None
    for line in page.splitlines():
        if line.startswith((".It", ".El", ".Sh", ".Ss")):
            word = re.fullmatch(r"\.It Ic (\S+)", line)
            key = word[1] if word else None
            if key in items:
                raise SystemExit(f"{key}: described twice")
            if key:
                items[key] = ""
        elif key:
            items[key] += line + "\n"
    return items


def limits(row):
    """What must stand in an item, for the limits of its type."""
    if row["type"] == "choice":
        return ["\nor\n".join(f".Cm {w}" for w in row["unit"].split("|")) +
                " ."]
    if row["type"] == "rate":   # most is in thousands
        return [f"{row['least']} to {int(row['most']) // 1000000}G"]
    if row["type"] in ("text", "path", "user", "name", "file"):
        return [f"at most {row['most']} bytes"]
    return [f"{row['least']} to {row['most']}"]


def default(row):
    value = re.sub(r"\.$", r".\\&", row["default"])    # no end of sentence
    return f"Default:\n.Ql {value} .\n" if value else "Default: empty.\n"


def check_page(table, page):
    items, faults = read_items(page), []
    for row in table:
        text = items.pop(row["key"], None)
        if text is None:
            faults.append(f"{row['key']}: not in the page")
            continue
        for part in limits(row):
            if not re.search(rf"(?<!\w){re.escape(part)}(?![\w-])", text):
                faults.append(f"{row['key']}: limits: no {part!r}")
        if default(row) not in text:
            faults.append(f"{row['key']}: default: no {default(row)!r}")
    return faults + [f"{key}: in the page, but no key" for key in items]


def check_order(table, page):
    """Readers find a key where --print-config has it."""
    if list(read_items(page)) != [row["key"] for row in table]:
        return ["the page's order is not the table's"]
    return []


def check_example(table, example):
    defaults = {row["key"]: row["default"] for row in table}
    faults, prefix = [], ""
    for n, line in enumerate(example.splitlines(), 1):
        if section := re.fullmatch(r"\[(.+)\]", line):
            prefix = section[1] + "."
        entry = re.fullmatch(r"#([a-z_.]+) =(.*)", line)
        if not entry:
            continue
        key, value = prefix + entry[1], entry[2].strip()
        if defaults.get(key) != value:
            faults.append(f"example, line {n}: {key} is no key, or by "
                          f"default not {value!r}")
    return faults


def main():
    program, page_path, example_path = sys.argv[1:]
    table = read_table(program)
    with open(page_path, encoding="ascii") as f:
        page = f.read()
    with open(example_path, encoding="utf-8") as f:
        example = f.read()
    faults = (check_page(table, page) or check_order(table, page)) + \
        check_example(table, example) + \
        run(program, example_path).stderr.splitlines()
    for fault in faults:
        print(fault)
    return 1 if faults or not table else 0


if __name__ == "__main__":
    sys.exit(main())
