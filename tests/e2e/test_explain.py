# SPDX-License-Identifier: Apache-2.0
"""portcullis explain, as a user sees it."""
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PORTCULLIS_BUILD", ROOT / "build"))
VECTORS = ROOT / "tests" / "vectors"


def run(*args, stdin=b""):
    return subprocess.run([BUILD / "portcullis", *args], input=stdin,
                          capture_output=True, timeout=10)


def explain(*args, stdin=b"", status=0):
    done = run("explain", *args, stdin=stdin)
    assert done.returncode == status, done
    return done.stdout.decode("ascii")


def explain_json(*args, stdin=b"", status=0):
    lines = explain("--json", *args, stdin=stdin, status=status).splitlines()
    return [json.loads(line) for line in lines]


def rows(name):
    for line in (VECTORS / name).read_text().splitlines():
        if not line.startswith("#"):
            yield ["" if column == '""' else column
                   for column in line.split("\t")]


def unescape(text):
    names = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}

    def one(match):
        code = match.group(1)
        return bytes([int(code[1:], 16)]) if code[0] == "x" else names[code]

    out, at = b"", 0
    for match in re.finditer(r"\\(x[0-9a-f]{2}|.)", text):
        out += text[at:match.start()].encode() + one(match)
        at = match.end()
    return out + text[at:].encode()


def test_port_says_address_and_arithmetic():
    text = explain("PORT 172,16,4,128,16,155")
    assert "172.16.4.128" in text
    assert "4251 = 16*256 + 155" in text


@pytest.mark.parametrize("args", [
    ["PORT", "172,16,4,128,16,155"],
    ["port 172,16,4,128,16,155"],
    ["172,16,4,128,16,155"],
    ["C: PORT 172,16,4,128,16,155"],
    ["> PORT 172,16,4,128,16,155\r"],
    ["--", "---> PORT 172,16,4,128,16,155"],
    ["EPRT |1|172.16.4.128|4251|"],
    ["|1|172.16.4.128|4251|"],
    ["EPRT", "!1!172.16.4.128!4251!"],
    ["LPRT 4,4,172,16,4,128,2,16,155"],
    ["4,4,172,16,4,128,2,16,155"],
    ["227 Entering Passive Mode (172,16,4,128,16,155)."],
    ["227", "Entering", "Passive", "Mode", "(172,16,4,128,16,155)"],
    ["(172,16,4,128,16,155)"],
    ["228 Entering Long Passive Mode (4,4,172,16,4,128,2,16,155)"],
    ["229 Entering Extended Passive Mode (|1|172.16.4.128|4251|)"],
    ["172.16.4.128:4251"],
])
def test_every_form_of_one_address_is_read(args):
    (said,) = explain_json(*args)
    assert said["well_formed"] is True
    assert (said["address"], said["port"]) == ("172.16.4.128", 4251)
    assert (said["p1"], said["p2"]) == (16, 155)


def test_extended_passive_reply_names_no_address():
    (said,) = explain_json("229 Entering Extended Passive Mode (|||6446|)")
    assert said["port"] == 6446
    assert "address" not in said


def test_an_endpoint_is_written_as_commands():
    lines = explain("172.16.4.128:4251").splitlines()
    assert "  PORT 172,16,4,128,16,155" in lines
    assert "  EPRT |1|172.16.4.128|4251|" in lines
    assert "  LPRT 4,4,172,16,4,128,2,16,155" in lines


def test_an_ipv6_endpoint_has_no_port_command():
    (said,) = explain_json("[2001:db8::1]:4251")
    assert said["eprt_argument"] == "|2|2001:db8::1|4251|"
    assert "port_argument" not in said


@pytest.mark.parametrize("args,verdict,reply,kind", [
    (["--peer", "172.16.4.128"], "permitted", 200, "none"),
    (["--peer", "::ffff:172.16.4.128"], "permitted", 200, "none"),
    (["--peer", "172.16.4.129"], "refused", 504, "internal"),
    (["--peer", "198.51.100.7", "--server", "172.16.4.128"], "refused", 504,
     "self"),
    (["--peer", "2001:db8::1"], "refused", 522, "internal"),
])
def test_the_policy_is_told_with_its_reply(args, verdict, reply, kind):
    (said,) = explain_json(*args, "PORT 172,16,4,128,16,155")
    assert (said["verdict"], said["reply"]) == (verdict, reply)
    assert said["kind"] == kind


@pytest.mark.parametrize("text,verdict", [
    ("PORT 172,16,4,128,16,155", "depends"),
    ("PORT 127,0,0,1,16,155", "depends"),
    ("PORT 172,16,4,128,0,22", "refused"),
    ("PORT 172,16,4,128,0,0", "refused"),
    ("PORT 224,0,0,1,16,155", "refused"),
    ("PORT 0,0,0,0,16,155", "refused"),
    ("EPRT |2|fe80::1%eth0|4251|", "refused"),
    ("LPRT 4,4,172,16,4,128,2,16,155", "refused"),
])
def test_without_a_peer_only_what_holds_for_all_is_refused(text, verdict):
    (said,) = explain_json(text)
    assert said["verdict"] == verdict
    assert ("reply" in said) == (verdict != "depends")


@pytest.mark.parametrize("server,verdict,kind", [
    ("192.0.2.21", "permitted", "none"),
    ("192.0.2.22", "refused", "pasv_redirect"),
])
def test_a_passive_reply_is_held_to_its_server(server, verdict, kind):
    (said,) = explain_json("--server", server,
                           "227 Entering Passive Mode (192,0,2,21,156,64)")
    assert (said["verdict"], said["kind"]) == (verdict, kind)


def test_the_caret_stands_beneath_the_fault():
    lines = explain("PORT 172,16,4,300,16,155", status=1).splitlines()
    assert lines[0][lines[1].index("^"):].startswith("300")
    assert "column 15" in lines[2]
    assert "501" in lines[3]


def test_control_bytes_move_no_caret_and_reach_no_terminal():
    text = explain(stdin=b"PORT 1,2,\x1b[2J\xc3\xa9\t,4,5,6\n", status=1)
    lines = text.splitlines()
    assert lines[0] == "PORT 1,2,?[2J???,4,5,6"
    assert lines[1].index("^") == 9
    assert "0x1b" in lines[2]


@pytest.mark.parametrize("text,reply", [
    ("PORT 1,2,3,4,5", 501),
    ("PORT 1,2,3,4,5,256", 501),
    ("PORT 1,2,3,4,5,6,7", 501),
    ("PORT", 501),
    ("PORT\t1,2,3,4,5,6", 500),
    ("EPRT |3|1.2.3.4|5000|", 522),
    ("LPRT 4", 502),
])
def test_malformed_commands_have_the_servers_reply(text, reply):
    (said,) = explain_json(text, status=1)
    assert said["well_formed"] is False
    assert said["reply"] == reply
    assert said["column"] >= 1 and said["expected"]


@pytest.mark.parametrize("text", [
    "hello", "220 ready", "172.16.4.128", "172.16.4.128:65536",
    "2001:db8::1", "[2001:db8::1]", "227 no numbers", "(1,2,3)", "()", "(",
    "|", "|||6446|", ":", "[", "C:", "PORT ",
])
def test_whatever_is_no_address_is_exit_one(text):
    said = explain_json(text, status=1 if text != "C:" else 0)
    assert all(one["well_formed"] is False for one in said)


def test_each_input_line_is_one_json_object():
    said = explain_json(stdin=b"PORT 1,2,3,4,5,6\r\n\r\nnonsense \"\\\xff\n"
                              b"S: 229 ok (|||6446|)", status=1)
    assert [one["well_formed"] for one in said] == [True, False, True]
    assert said[1]["text"] == "nonsense \"\\\u00ff"


@pytest.mark.parametrize("name,verb", [
    ("hostport.tsv", "PORT"), ("eprt.tsv", "EPRT"), ("lprt.tsv", "LPRT"),
])
def test_vectors_are_read_as_the_server_reads_them(name, verb):
    for _, argument, error, address in rows(name):
        sent = unescape(argument)
        if b"\n" in sent or sent.endswith(b"\r"):
            continue    # ends the line here, and says nothing of the grammar
        (said,) = explain_json(stdin=verb.encode() + b" " + sent + b"\n",
                               status=0 if error == "OK" else 1)
        assert said["well_formed"] == (error == "OK"), argument
        if error == "OK":
            assert address.endswith(":%d" % said["port"]), argument


@pytest.mark.parametrize("args", [
    [], ["no-such-command"], ["--no-such-option"],
    ["explain", "--no-such-option"], ["explain", "--peer"],
    ["explain", "--peer", "nonsense", "PORT 1,2,3,4,5,6"],
    ["explain", "--server", "1.2.3.4:21", "PORT 1,2,3,4,5,6"],
])
def test_wrong_usage_is_exit_two_and_says_so(args):
    done = run(*args)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


@pytest.mark.parametrize("args", [["--help"], ["explain", "--help"]])
def test_help_is_on_standard_output(args):
    done = run(*args)
    assert done.returncode == 0
    assert b"usage: portcullis" in done.stdout and not done.stderr


def test_version_is_one_line():
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(rb"portcullis \d+\.\d+\.\d+\n", done.stdout)


def test_a_full_disk_is_not_success():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BUILD / "portcullis", "explain",
                               "PORT 1,2,3,4,5,6"], stdout=full,
                              stderr=subprocess.PIPE, timeout=10)
    assert done.returncode == 1 and done.stderr
