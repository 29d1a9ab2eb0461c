# SPDX-License-Identifier: Apache-2.0
"""Log promises R12–R16 and the hostile outputs of hub-jobs-api.md, section 12."""
import hashlib
import json
import threading
import time

import requests

from server import wait_until


def lines_of(server, script, query="", **fields):
    job = server.submit(["sh", "-c", script], **fields)["id"]
    server.wait_job(job)
    return job, server.log_lines(job, query)


def test_order_of_stdout_and_stderr(server):
    _, lines = lines_of(server, "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done")
    assert lines == [f"{name} {n}" for n in range(1, 6) for name in ("out", "err")]


def test_bytes_that_break_clients(server):
    # The literal bytes: U+2028, NEL (U+0085), VT, NUL, ESC, invalid UTF-8, \r in the middle and at the end.
    script = r"printf 'a\342\200\250b\n\302\205x\n\013v\n\000n\n\033[1m\n\377\376\nbar 1\rbar 2\r\nlast'"
    _, lines = lines_of(server, script)
    assert lines == ["a\u2028b", "\u0085x", "\x0bv", "\x00n", "\x1b[1m", "\ufffd\ufffd", "bar 1\rbar 2", "last"]


def test_a_line_of_ten_megabytes(server):
    job, lines = lines_of(server, "head -c 10485760 /dev/zero | tr '\\0' x; echo; echo end", flavor="small")
    assert [len(line) for line in lines] == [10485760, 3]
    assert hashlib.sha256(lines[0].encode()).hexdigest() == hashlib.sha256(b"x" * 10485760).hexdigest()


def test_a_hundred_thousand_lines_are_kept_in_order_and_replayed(server):
    job, lines = lines_of(server, "seq 1 100000", flavor="small")
    assert lines == [str(n) for n in range(1, 100001)]
    wait_until(lambda: not server.live_monitors(), 10, "clean-up")	# now it is compressed
    assert (server.state / "attempts" / f"{job}.1" / "log.zst").exists()
    assert server.log_lines(job) == lines
    assert server.log_lines(job, "?tail=3") == ["99998", "99999", "100000"]


def test_tail(server):
    job, lines = lines_of(server, "seq 1 10", "?tail=4")
    assert lines == ["7", "8", "9", "10"]
    assert server.log_lines(job, "?tail=0") == []
    assert server.log_lines(job, "?tail=1000") == [str(n) for n in range(1, 11)]
    raw = server.call("GET", f"/api/jobs/alice/{job}/logs?tail=2").text
    assert raw.startswith('data: {"data":"===== Job started at 20')
    for bad in ("-1", "x", "1.5"):
        assert server.call("GET", f"/api/jobs/alice/{job}/logs?tail={bad}").status_code == 400


def test_shape_of_the_stream(server):
    job, _ = lines_of(server, "echo one")
    answer = server.call("GET", f"/api/jobs/alice/{job}/logs")
    assert answer.headers["Content-Type"].startswith("text/event-stream") and answer.headers["Cache-Control"] == "no-cache"
    events = answer.content.split(b"\n\n")
    assert events[-1] == b"" and all(event.startswith(b"data: {") for event in events[:-1])
    for event in events[:-1]:
        assert json.loads(event[6:])["timestamp"].endswith("Z")


def test_a_follower_gets_lines_as_they_come_and_the_end_at_once(server):
    job = server.submit(["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.5; done"])["id"]
    seen = []
    for line in server.call("GET", f"/api/jobs/alice/{job}/logs", stream=True).iter_lines(chunk_size=1):
        if line.startswith(b"data: {") and b"=====" not in line:
            seen.append((json.loads(line[6:])["data"], time.monotonic()))
    closed = time.monotonic()
    assert [text for text, _ in seen] == ["1", "2", "3"]
    assert seen[1][1] - seen[0][1] > 0.3
    assert closed - seen[2][1] < 2
    assert server.job(job)["status"]["stage"] == "COMPLETED"


def test_a_partial_line_is_shown_after_a_second(server):
    job = server.submit(["sh", "-c", "printf 'password? '; sleep 4; echo done"])["id"]
    came = {}
    for line in server.call("GET", f"/api/jobs/alice/{job}/logs", stream=True).iter_lines(chunk_size=1):
        for word in (b"password?", b"done"):
            if word in line:
                came[word] = time.monotonic()
    assert came[b"done"] - came[b"password?"] > 1  # 3 s before, on a quiet machine


def test_many_followers_see_the_same(server):
    job = server.submit(["sh", "-c", "for i in $(seq 1 50); do echo line $i; sleep 0.02; done"])["id"]
    results = [None] * 20

    def follow(index):
        results[index] = server.log_lines(job)
    threads = [threading.Thread(target=follow, args=(n,)) for n in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == [f"line {n}" for n in range(1, 51)] for result in results)


def test_a_vanished_follower_does_not_disturb(server):
    job = server.submit(["sh", "-c", "for i in $(seq 1 2000); do echo $i; done; sleep 1; echo end"], flavor="small")["id"]
    for _ in range(5):
        answer = requests.get(f"{server.endpoint}/api/jobs/alice/{job}/logs", headers={"Authorization": f"Bearer {server.token}"},
                              stream=True, timeout=10)
        answer.raw.read(100)
        answer.close()
    server.wait_job(job)
    assert server.log_lines(job)[-1] == "end" and len(server.log_lines(job)) == 2001


def test_a_queued_job_has_an_open_silent_stream(server):
    blocker = server.submit(["sleep", "300"], flavor="whole")["id"]
    server.wait_job(blocker, ("RUNNING",))
    queued = server.submit(["echo", "now"], flavor="whole")["id"]
    answer = server.call("GET", f"/api/jobs/alice/{queued}/logs", stream=True, timeout=40)
    assert answer.status_code == 200
    server.call("POST", f"/api/jobs/alice/{blocker}/cancel")
    lines = [line for line in answer.iter_lines() if line.startswith(b"data: {")]
    assert json.loads(lines[-1][6:])["data"] == "now"


def test_the_limit_keeps_head_and_tail(make_server):
    server = make_server("[jobs]\nlog_limit = 1M\n")
    job, lines = lines_of(server, "seq 1 400000", flavor="small")
    assert lines[0] == "1" and lines[-1] == "400000"
    gaps = [line for line in lines if not line.isdigit()]
    assert len(gaps) == 1, gaps[:3]
    numbers = [int(line) for line in lines if line.isdigit()]
    assert numbers == sorted(numbers) and len(numbers) < 400000
    assert server.log_lines(job) == lines


def test_backslash_r_progress_and_empty_lines(server):
    _, lines = lines_of(server, r"printf '\n\n10%%\r20%%\r100%%\n'")
    assert lines == ["", "", "10%\r20%\r100%"]
