# SPDX-License-Identifier: Apache-2.0
"""The warning before the time limit, the limit itself, and its changes, as a monitor keeps them."""
import json
import os
import signal
import socket
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
import attempt as attempt_module  # noqa: E402

MONITOR = attempt_module.find_monitor()
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not MONITOR, reason="needs root and hearth-monitor")

LOOP = "while :; do sleep 0.05; done"
USR1 = int(signal.SIGUSR1)


def sh(text):
    return ["sh", "-c", text]


@pytest.fixture(scope="module")
def lab():
    lab = attempt_module.Lab(MONITOR)
    yield lab
    lab.close()


def warned(attempt):
    message = attempt.message()
    assert message and message["type"] == "warned", message
    return message


def markers(attempt):
    return [text.decode() for kind, text in attempt.log() if kind == "s"][1:]


def test_a_handler_is_warned(lab):
    a = lab.start(sh("trap 'echo saving; exit 0' USR1; echo ready; " + LOOP), timeout_s=4, warning_s=90,
                  warning_signal=USR1)
    a.running()
    # Not before half of a short limit.
    assert warned(a) == {"type": "warned", "signal": USR1, "left_s": 2}
    assert a.wait()["outcome"] == "exited" and a.exit["exit_code"] == 0
    assert a.lines() == ["ready", "saving"] and 1.9 < a.exit["running_us"] / 1e6 < 4
    assert markers(a) == ["===== The time limit of 4s comes in 2s: SIGUSR1 sent ====="]


def test_other_signals(lab):
    a = lab.start(sh("trap 'echo now; exit 4' TERM; " + LOOP), timeout_s=30, warning_s=29,
                  warning_signal=int(signal.SIGTERM))
    a.running()
    a.tell({"type": "extend", "timeout_s": 2})
    assert warned(a)["signal"] == signal.SIGTERM
    assert a.wait()["outcome"] == "exited" and a.exit["exit_code"] == 4


def test_the_unaware_are_not_touched(lab):
    attempts = [lab.start(command, timeout_s=2, warning_s=1, warning_signal=USR1, grace_s=0) for command in (
        ["sleep", "60"],
        sh("sleep 60; true"),
        sh("sleep 60 & sleep 60 & wait"),
        sh("trap '' USR1; sleep 60"),
    )]
    for a in attempts:
        a.running()
        assert warned(a) == {"type": "warned", "signal": 0, "left_s": 1}
        assert a.wait()["outcome"] == "timeout" and 2 <= a.exit["running_us"] / 1e6 < 2.9
        assert a.exit["message"] == "Job timeout: reached its limit of 2s"
        assert markers(a) == ["===== The time limit of 2s comes in 1s ====="]


def test_children_that_handle_it(lab):
    """The first process does not: each of the others that does gets it, and only those. The loops start
    programs all the time, which have their parent's handlers for a moment."""
    worker = "(trap 'echo %s; exit' USR1; while :; do sleep 0.01 || echo killed; done) &"
    a = lab.start(sh(worker % "one" + worker % "two" + "sleep 1.5 && echo untouched; wait; echo end"),
                  timeout_s=2, warning_s=1, warning_signal=USR1)
    a.running()
    assert warned(a)["signal"] == USR1
    assert a.wait()["outcome"] == "exited", a.exit
    assert sorted(a.lines()) == ["end", "one", "two", "untouched"]


def test_the_first_process_gets_it_alone(lab):
    a = lab.start(sh("(trap 'echo child' USR1; %s) & trap 'echo first; exit 0' USR1; %s" % (LOOP, LOOP)),
                  timeout_s=2, warning_s=1, warning_signal=USR1)
    a.running()
    warned(a)
    a.wait()
    assert a.lines() == ["first"]


def test_a_handler_that_comes_late(lab):
    a = lab.start(sh("sleep 1.5; trap 'echo late; exit 0' USR1; " + LOOP), timeout_s=6, warning_s=5,
                  warning_signal=USR1)
    a.running()
    a.tell({"type": "extend", "timeout_s": 2})
    assert warned(a)["signal"] == 0
    a.tell({"type": "extend", "timeout_s": 6})
    a.wait()
    assert a.lines() == ["late"] and a.exit["exit_code"] == 0


def test_no_warning_asked(lab):
    a = lab.run(sh("trap 'echo wrong' USR1; " + LOOP), timeout_s=1, grace_s=0)
    assert a.exit["outcome"] == "timeout" and a.lines() == [] and markers(a) == []


def test_an_extension_moves_both(lab):
    a = lab.start(sh("trap 'echo warned' USR1; " + LOOP), timeout_s=2, warning_s=1, warning_signal=USR1,
                  grace_s=0)
    a.running()
    assert warned(a)["left_s"] == 1
    a.tell({"type": "extend", "timeout_s": 4})
    assert warned(a) == {"type": "warned", "signal": USR1, "left_s": 1}
    a.wait()
    assert a.exit["outcome"] == "timeout" and 4 <= a.exit["running_us"] / 1e6 < 4.7
    assert a.exit["message"] == "Job timeout: reached its limit of 4s"
    assert a.lines().count("warned") == 2


def test_the_same_limit_again_warns_no_second_time(lab):
    attempts = [lab.start(command, timeout_s=2, warning_s=1, warning_signal=USR1, grace_s=0) for command in (
        sh("trap 'echo warned' USR1; " + LOOP), ["sleep", "60"])]
    for a in attempts:
        a.running()
    for a in attempts:
        warned(a)
        a.tell({"type": "extend", "timeout_s": 2})  # as hearthd does when it comes back
    for a in attempts:
        a.wait()
        assert 2 <= a.exit["running_us"] / 1e6 < 2.7 and len(markers(a)) == 1, markers(a)
    assert attempts[0].lines().count("warned") == 1


def test_a_shortened_limit_moves_both(lab):
    a = lab.start(sh("trap 'echo warned; exit 0' USR1; " + LOOP), timeout_s=3600, warning_s=600,
                  warning_signal=USR1)
    a.running()
    a.tell({"type": "extend", "timeout_s": 2})
    assert warned(a)["left_s"] == 1
    assert a.wait()["exit_code"] == 0 and a.exit["running_us"] < 2e6


def test_an_extension_that_comes_too_late(lab):
    a = lab.start(sh("trap 'echo ending' TERM; " + LOOP), timeout_s=1, grace_s=2)
    a.running()
    while "ending" not in a.lines():
        pass
    a.tell({"type": "extend", "timeout_s": 7200})
    a.wait()
    assert a.exit["outcome"] == "timeout" and a.exit["running_us"] < 4e6
    assert a.exit["message"] == "Job timeout: reached its limit of 1s; the extension to 2h came too late"


def test_limits_that_are_none(lab):
    a = lab.start(["sleep", "1.5"], timeout_s=60)
    a.running()
    for limit in (0, -5, 2**31, 2**62, "90", None):
        a.tell({"type": "extend", "timeout_s": limit})
    a.socket.send(b"{")
    assert a.wait()["outcome"] == "exited"


def test_grace_of_the_job(lab):
    a = lab.run(sh("trap 'echo got it' TERM; " + LOOP), timeout_s=1, grace_s=2)
    assert a.exit["outcome"] == "timeout" and 3 <= a.exit["running_us"] / 1e6 < 3.7
    assert a.lines() == ["got it"]


def test_who_connects_later_hears_of_the_warning(lab):
    a = lab.start(sh("trap 'echo warned' USR1; " + LOOP), timeout_s=30, warning_s=29, warning_signal=USR1)
    a.tell({"type": "extend", "timeout_s": 3})
    started = a.running()
    a.socket.close()
    while "warned" not in a.lines():
        pass
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.settimeout(20)
    peer.connect(a.path + "/control")
    again = json.loads(peer.recv(4096))
    assert again["started_ms"] == started["started_ms"]
    assert started["running_us"] < 1e6 < 1.4e6 < again["running_us"] < 3e6
    assert json.loads(peer.recv(4096))["type"] == "warned"
    second = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    second.settimeout(20)
    second.connect(a.path + "/control")
    assert json.loads(second.recv(4096))["type"] == "running"
    second.send(b'{"type": "cancel"}')
    assert json.loads(peer.recv(4096)) == {"type": "ended"}
    assert json.loads(second.recv(4096)) == {"type": "ended"}
    a.process.wait(20)


def test_spec_is_checked(lab):
    for changes in ({"warning_s": -1}, {"warning_s": 1, "warning_signal": 99}, {"warning_signal": "USR1"}):
        a = lab.run(["true"], **changes)
        assert a.exit["outcome"] == "failed" and "warning" in a.exit["message"], a.exit
