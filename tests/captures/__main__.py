# tests/captures/__main__.py: python3 -m captures OUTDIR
# SPDX-License-Identifier: Apache-2.0
"""Writes every capture, and truth.tsv beside them."""

import argparse
import pathlib
import sys

from captures.rows import CAPTURES

COLUMNS = ("file", "id", "findings", "label", "scan", "readings",
           "confidence", "offset", "counters", "args")


def truth_fields(made):
    ports = " ".join(f"{port}={state}" for port, state in made.scan.items())
    offset = "" if made.offset is None else str(made.offset)
    return (made.file, made.id, "; ".join(map(str, made.findings)),
            made.label, ports, " ".join(made.readings), made.confidence,
            offset, " ".join(made.counters), made.args)


def truth_line(made):
    return "\t".join(field or "-" for field in truth_fields(made)) + "\n"


def write(directory, chosen):
    directory.mkdir(parents=True, exist_ok=True)
    for made in chosen:
        (directory / made.file).write_bytes(made.make())
    lines = ["# " + "\t".join(COLUMNS) + "\n", *map(truth_line, chosen)]
    (directory / "truth.tsv").write_text("".join(lines))


def parse_args(argv):
    parser = argparse.ArgumentParser(prog="python3 -m captures",
                                     description=__doc__)
    parser.add_argument("directory", nargs="?", type=pathlib.Path)
    parser.add_argument("--list", action="store_true",
                        help="print the truth, write nothing")
    parser.add_argument("--only", metavar="ID", action="append", default=[],
                        help="a row (BO01) or one file's stem (BO01-refused); "
                        "may be repeated, includes slow ones")
    parser.add_argument("--slow", action="store_true",
                        help="the slow ones too")
    args = parser.parse_args(argv)
    if args.list == bool(args.directory):
        parser.error("either a directory or --list")
    return args


def chosen_by(args):
    if args.only:
        return [made for made in CAPTURES if made.id in args.only or
                made.file.rsplit(".", 1)[0] in args.only]
    return [made for made in CAPTURES if args.slow or not made.slow]


def main(argv=None):
    args = parse_args(argv)
    chosen = chosen_by(args)
    if not chosen:
        print("captures: no such row", file=sys.stderr)
        return 2
    if args.list:
        sys.stdout.writelines(map(truth_line, chosen))
    else:
        write(args.directory, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
