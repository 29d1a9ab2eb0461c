# SPDX-License-Identifier: Apache-2.0
"""The HTTP server glue (src/net) from outside, byte by byte: tests/unit/net/http_test_server.c."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HEARTH_BUILD", TOP / "build"))
PROGRAM = BUILD / "tests/unit/net/http_test_server"


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def connect(self, timeout=10, receive_buffer=0):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(timeout)
        s.connect(("127.0.0.1", self.port))
        return s

    def exchange(self, data, timeout=10):
        """Send bytes, read until the server closes."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_all(s)

    def get(self, path, extra=b""):
        return self.exchange(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + extra + b"\r\n")

    def counts(self):
        return json.loads(body_of(self.get("/counts")))

    def resident_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    assert s.alive()
    s.stop()


def read_all(s):
    pieces = []
    while True:
        try:
            pieces.append(s.recv(65536))
        except ConnectionResetError:
            return b"".join(pieces)
        if not pieces[-1]:
            return b"".join(pieces)


def read_until(s, end):
    data = b""
    while not data.endswith(end):
        piece = s.recv(65536)
        assert piece, data
        data += piece
    return data


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split()[1])


def body_of(answer):
    return answer.split(b"\r\n\r\n", 1)[1]


def headers_of(answer):
    lines = answer.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
    return {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}


def expect_error(answer, status):
    """The shape of hub-jobs-api 0.5."""
    assert status_of(answer) == status, answer
    headers = headers_of(answer)
    assert headers["content-type"] == "application/json; charset=utf-8"
    body = json.loads(body_of(answer))
    assert list(body) == ["error"] and body["error"] and not body["error"].endswith(".")
    assert headers["x-error-message"].isascii()
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", headers["x-request-id"])
    assert int(headers["content-length"]) == len(body_of(answer))
    return body["error"]


# ---- ordinary answers

def test_simple_answers(server):
    assert body_of(server.get("/hello")) == b"hello\n"
    assert json.loads(body_of(server.get("/items/a%20b?q=x+y&q=z"))) == ["a b", "x y"]
    assert json.loads(body_of(server.get("/files/a/b%2Fc"))) == ["a/b/c", None]
    assert body_of(server.get("/items/special")) == b"hello\n"
    assert body_of(server.get("http://elsewhere/hello?x")) == b"hello\n"


def test_errors_have_their_shape(server):
    assert expect_error(server.get("/nothing"), 404)
    answer = server.get("/echo")
    assert "POST" in expect_error(answer, 405)
    assert headers_of(answer)["allow"] == "POST"
    answer = server.get("/error")
    assert expect_error(answer, 409) == 'na\u00efve "quote"'
    assert headers_of(answer)["x-error-message"] == 'na?ve "quote"'
    assert b"\\u00ef" in body_of(answer)
    expect_error(server.get("/items/%00"), 400)
    expect_error(server.get("/items/%ff"), 400)
    expect_error(server.get("/items/x?q=%0a"), 400)


def test_head_and_no_content(server):
    answer = server.exchange(b"HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert headers_of(answer)["content-length"] == "6" and body_of(answer) == b""
    answer = server.exchange(b"HEAD /lines/5 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    first, rest = answer.split(b"\r\n\r\n", 1)
    assert rest.startswith(b"HTTP/1.1 200") and rest.endswith(b"hello\n")
    answer = server.exchange(b"DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 204 and body_of(answer) == b""


def test_base_url(server):
    assert body_of(server.get("/base")) == b"http://x"
    extra = b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: hub.example\r\n"
    assert body_of(server.get("/base", extra)) == b"https://hub.example"
    assert body_of(server.get("/base", b"X-Forwarded-Proto: javascript\r\n")) == b"http://x"


def test_json_bodies(server):
    def post(body):
        return server.exchange(b"POST /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert body_of(post(b'{"a": [1, "\xc3\xa9"]}')) == b'{"a":[1,"\\u00E9"]}'
    assert body_of(post(b"")) == b"{}"
    for bad in (b"[]", b"{", b'{"a":1,"a":2}', b'{"a":"\xff"}', b'{"a":"\\u0000"}', b"{} x", b"[" * 60000, b"null"):
        expect_error(post(bad), 400)


def test_bodies(server):
    big = os.urandom(4 * 1024 * 1024)
    answer = server.exchange(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
    assert body_of(answer) == big
    chunks = b"".join(b"%x\r\n%s\r\n" % (n, b"z" * n) for n in (1, 5, 16, 4096, 70000)) + b"0\r\n\r\n"
    answer = server.exchange(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert body_of(answer) == b"z" * (1 + 5 + 16 + 4096 + 70000)
    answer = server.exchange(b"POST /spool HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert body_of(answer) == b"74118"


def test_a_body_byte_by_byte(server):
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\nyou\r\n0\r\nTrailer: x\r\n\r\n"
    with server.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            s.send(bytes([byte]))
            time.sleep(0.0005)
        assert read_until(s, b"helloyou").startswith(b"HTTP/1.1 200")


# ---- bodies that are refused

def test_too_large_is_refused_without_reading(server):
    with server.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1000)
        expect_error(read_all(s), 413)


def test_too_large_answer_reaches_a_client_that_keeps_sending(server):
    with server.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n")
        for _ in range(60):
            s.sendall(b"x" * 100000)
        expect_error(read_all(s), 413)


def test_too_large_chunks(server):
    with server.connect() as s:
        s.sendall(b"POST /json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            s.sendall(b"2000\r\n" + b"x" * 8192 + b"\r\n")
        expect_error(read_all(s), 413)


def test_small_refused_bodies_keep_the_connection(server):
    with server.connect() as s:
        s.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000 +
                  b"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
                  b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = read_all(s).split(b"HTTP/1.1 ")
        assert [a[:3] for a in answers[1:]] == [b"404", b"413", b"200"]


def test_expect_continue(server):
    with server.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert read_until(s, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        assert read_until(s, b"hello").startswith(b"HTTP/1.1 200")
    with server.connect() as s:
        s.sendall(b"POST /json HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n")
        expect_error(read_all(s), 413)


# ---- framing that two parties could read in two ways

BAD_HEADS = {
    "two lengths": b"Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
    "the same length twice": b"Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
    "list of lengths": b"Host: x\r\nContent-Length: 5, 5\r\n",
    "length and chunked": b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunked and length": b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "gzip": b"Host: x\r\nTransfer-Encoding: gzip\r\n",
    "gzip, chunked": b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
    "chunked twice": b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "tab in chunked": b"Host: x\r\nTransfer-Encoding:\tchunked\t\r\n",
    "no host": b"A: b\r\n",
    "two hosts": b"Host: x\r\nHost: x\r\n",
    "empty host": b"Host:\r\n",
    "space before colon": b"Host: x\r\nContent-Length : 5\r\n",
    "NUL in a name": b"Host: x\r\nCont\0ent-Length: 5\r\n",
    "NUL in a value": b"Host: x\r\nA: b\0c\r\n",
    "NUL hides a length": b"Host: x\r\nA: b\0\r\nContent-Length: 5\r\n",
    "a line of NUL": b"Host: x\r\n\0Content-Length: 5\r\n",
    "folded line": b"Host: x\r\nA: b\r\n c\r\n",
    "bare line feed": b"Host: x\nA: b\r\n",
    "bare carriage return": b"Host: x\r\nA: b\rContent-Length: 5\r\n",
    "control character": b"Host: x\r\nA: b\x01c\r\n",
    "signed length": b"Host: x\r\nContent-Length: +5\r\n",
    "hexadecimal length": b"Host: x\r\nContent-Length: 0x5\r\n",
    "huge length": b"Host: x\r\nContent-Length: 18446744073709551616\r\n",
    "negative length": b"Host: x\r\nContent-Length: -1\r\n",
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS.keys())
def test_bad_heads_end_the_connection(server, head):
    smuggled = b"GET /lines/3 HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = server.exchange(b"POST /echo HTTP/1.1\r\n" + head + b"\r\n" + b"hello" + smuggled)
    # libmicrohttpd 0.9.75 writes the head of its own refusals of a length twice; the connection ends all the same.
    assert {int(a[:3]) for a in answer.split(b"HTTP/1.1 ")[1:]} <= {400, 413}, answer
    assert status_of(answer) in (400, 413), answer
    assert b"line 1" not in answer
    assert server.alive()


@pytest.mark.parametrize("line", [b"GET /hello", b"GET", b"GET  /hello HTTP/1.1", b"GET /hello HTTP/1.1 x", b"GET /he\0llo HTTP/1.1",
                                  b"GET /he llo HTTP/1.1", b"G\0T /hello HTTP/1.1", b"GET /hello HTTP/2.0", b"GET /hello HTTP/0.9",
                                  b"G{T /hello HTTP/1.1", b"GET /hel\x01lo HTTP/1.1", b"\x16\x03\x01\x02\x00", b"GET /hello HTTP/1.1\t"])
def test_bad_request_lines(server, line):
    answer = server.exchange(line + b"\r\nHost: x\r\n\r\n")
    assert answer == b"" or status_of(answer) in (400, 405, 501, 505), answer
    assert b"\r\n\r\nhello" not in answer


def test_heads_of_all_sizes_in_pieces(server):
    """No false alarm of the framing checks, wherever the head is cut and however long it is."""
    for size in list(range(0, 7000, 613)):
        filler = b"".join(b"X-%d: %s\r\n" % (i, b"v" * 90) for i in range(size // 100)) + b"Y: " + b"w" * (size % 100) + b"\r\n"
        head = b"GET /items/a?q=%d HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=d\r\n" % size + filler + b"Connection: close\r\n\r\n"
        for cut in (10, 33, len(head) // 2, len(head) - 3):
            with server.connect() as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(head[:cut])
                time.sleep(0.002)
                s.sendall(head[cut:])
                answer = read_all(s)
                if size < 6000:
                    assert json.loads(body_of(answer)) == ["a", str(size)], (size, cut, answer)
                else:
                    assert status_of(answer) in (200, 431), (size, cut, answer)


def test_too_large_heads(server):
    """Answered with 431 or 414; what just fits libmicrohttpd's memory, but no answer's head with it, may only be closed."""
    for size in (9000, 10700, 10800, 11500, 11900, 12300, 14000, 100000):
        answer = server.get("/hello", b"A: " + b"b" * size + b"\r\n")
        if answer or not 11500 < size < 12400:
            assert status_of(answer) == (200 if size == 9000 else 431), (size, answer)
        answer = server.get("/" + "b" * size)
        if answer or not 11500 < size < 12400:
            assert status_of(answer) in ((404,) if size == 9000 else (414, 431)), (size, answer)
    answer = server.exchange(b"GET /hello HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 70 + b"\r\n")
    expect_error(answer, 431)
    answer = server.exchange(b"GET /hello?" + b"a&" * 60 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 200


# ---- connections

def test_pipelining(server):
    one = b"GET /items/%d HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as s:
        s.sendall(b"".join(one % i for i in range(300)) + b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlast" +
                  b"GET /later HTTP/1.1\r\nHost: x\r\n\r\nPOST /commit HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1" +
                  b"GET /lines/2 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = read_all(s)
    answers = [a for a in data.split(b"HTTP/1.1 ")[1:]]
    assert len(answers) == 305
    assert [json.loads(body_of(a))[0] for a in answers[:300]] == [str(i) for i in range(300)]
    assert [body_of(a) for a in answers[300:303]] == [b"last", b"later\n", b"committed\n"]
    assert b"line 1" in answers[303] and answers[304].endswith(b"hello\n")


def test_http_1_0(server):
    answer = server.exchange(b"GET /hello HTTP/1.0\r\n\r\n")
    assert body_of(answer) == b"hello\n"
    answer = server.exchange(b"GET /lines/1000 HTTP/1.0\r\n\r\n")
    assert b"transfer-encoding" not in answer.lower()
    assert body_of(answer) == b"".join(b"line %d\n" % i for i in range(1000))


def test_half_closed_client_gets_its_answer(server):
    """When it is made at once. While an answer waits, libmicrohttpd takes the end of the client's side for its leaving."""
    clients = []
    for _ in range(60):
        s = server.connect()
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        clients.append(s)
    for s in clients:
        assert status_of(read_all(s)) == 200
        s.close()


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_ended_streams_free_their_connections_behind_an_idle_one(server, version):
    with server.connect() as idle:
        idle.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(idle, b"hello\n")
        for path in (b"/ticks?ms=100000", b"/lines/10"):
            clients = [server.connect() for _ in range(40)]
            for s in clients:
                s.sendall(b"GET " + path + b" HTTP/" + version + b"\r\nHost: x\r\n\r\n")
            for s in clients:
                assert s.recv(1000)
                s.close()
        end = time.monotonic() + 5
        while server.counts()["connections"] > 3:
            assert time.monotonic() < end, server.counts()
            time.sleep(0.1)


def test_client_leaves_before_the_answer(server):
    before = server.counts()["cancelled"]
    clients = [server.connect() for _ in range(50)]
    for s in clients:
        s.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.2)
    assert server.counts()["cancelled"] == before
    for i, s in enumerate(clients):
        if i % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        s.close()
    end = time.monotonic() + 5
    while server.counts()["cancelled"] < before + 50:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_client_leaves_and_the_handler_answers_all_the_same(server):
    with server.connect() as s:
        s.sendall(b"GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(4)
    assert server.alive() and body_of(server.get("/hello")) == b"hello\n"


def test_idle_and_slow_connections_end():
    server = Server("--idle", "2")
    try:
        with server.connect() as silent, server.connect() as kept:
            kept.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(kept, b"hello\n")
            begin = time.monotonic()
            assert read_all(silent) == b"" and read_all(kept) == b""
            assert 1 < time.monotonic() - begin < 6
    finally:
        server.stop()


def drip(s, data, seconds):
    end = time.monotonic() + seconds
    try:
        for byte in data:
            s.send(bytes([byte]))
            time.sleep(0.5)
            if time.monotonic() > end:
                return False
    except (ConnectionError, BrokenPipeError):
        pass
    return True


def test_slow_loris():
    """Heads that never end, on a fresh and on a used connection, and a body that trickles."""
    server = Server()
    used, fresh, body = server.connect(60), server.connect(60), server.connect(60)
    used.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    read_until(used, b"hello\n")
    body.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    ended = {}

    def run(name, s, data):
        begin = time.monotonic()
        drip(s, data, 70)
        answer = read_all(s)
        ended[name] = (time.monotonic() - begin, answer)

    endless = b"GET /hello HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1000
    threads = [threading.Thread(target=run, args=a) for a in (("fresh", fresh, endless), ("used", used, endless), ("body", body, b"x" * 1000))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 18 < ended["fresh"][0] < 26 and 18 < ended["used"][0] < 45 and 28 < ended["body"][0] < 40, ended
    assert all(not a[1] or status_of(a[1]) == 408 for a in ended.values())
    server.stop()


# ---- streams

def dechunk(data):
    body = b""
    while True:
        size, rest = data.split(b"\r\n", 1)
        n = int(size, 16)
        body += rest[:n]
        assert rest[n:n + 2] == b"\r\n"
        data = rest[n + 2:]
        if n == 0:
            return body, data


def test_stream_is_complete_and_the_connection_goes_on(server):
    with server.connect() as s:
        s.sendall(b"GET /lines/200000 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = read_all(s)
    body, rest = dechunk(body_of(data))
    assert body == b"".join(b"line %d\n" % i for i in range(200000))
    assert body_of(rest) == b"hello\n"


def test_ticks_come_as_they_are_made(server):
    with server.connect() as s:
        s.sendall(b"GET /ticks?ms=200&count=5 HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(s, b"tick 0\n\r\n")
        begin = time.monotonic()
        for i in range(1, 5):
            read_until(s, b"tick %d\n\r\n" % i) if i < 4 else read_until(s, b"tick 4\n\r\n0\r\n\r\n")
        assert 0.5 < time.monotonic() - begin < 5


def test_slow_reader_costs_nothing_and_loses_nothing(server):
    before = server.resident_kib()
    with server.connect(receive_buffer=65536) as s:
        s.sendall(b"GET /lines/3000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(1)
        assert server.resident_kib() - before < 1000
        assert body_of(server.get("/hello")) == b"hello\n"
        s.settimeout(60)
        data = read_all(s)
    body, _ = dechunk_fast(body_of(data))
    assert body.endswith(b"line 2999999\n") and body.count(b"\n") == 3000000


def dechunk_fast(data):
    out, at = [], 0
    while True:
        line_end = data.index(b"\r\n", at)
        n = int(data[at:line_end], 16)
        out.append(data[line_end + 2:line_end + 2 + n])
        at = line_end + 2 + n + 2
        if n == 0:
            return b"".join(out), data[at:]


def test_two_thousand_streams_are_small_and_end_with_their_clients(server):
    done = server.counts()["streams_done"]
    before = server.resident_kib()
    clients = []
    for _ in range(2000):
        s = server.connect()
        s.sendall(b"GET /ticks?ms=100000000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
                  b"User-Agent: huggingface-cli/1.28.0; hf_hub/1.28.0; python/3.11.7\r\nAccept: */*\r\n\r\n")
        clients.append(s)
    for s in clients:
        read_until(s, b"tick 0\n\r\n")
    time.sleep(1.5)
    each = (server.resident_kib() - before) / 2000
    print(f"{each:.1f} KiB per stream")
    is_sanitized = b"__asan_init" in PROGRAM.read_bytes()
    assert each < 16 or is_sanitized
    for s in clients:
        s.close()
    end = time.monotonic() + 10
    while server.counts()["streams_done"] < done + 2000:
        assert time.monotonic() < end, server.counts()
        time.sleep(0.1)
    assert server.counts()["connections"] < 5
    time.sleep(2)
    print(f"{server.resident_kib() - before} KiB kept")
    assert server.resident_kib() - before < 6000 or is_sanitized


def test_a_stream_to_a_peer_that_half_closes_ends(server):
    done = server.counts()["streams_done"]
    with server.connect() as s:
        s.sendall(b"GET /ticks?ms=50 HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(s, b"tick 0\n\r\n")
        s.shutdown(socket.SHUT_WR)
        end = time.monotonic() + 5
        while server.counts()["streams_done"] == done:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_waiting_costs_no_processor_time(server):
    clients = [server.connect() for _ in range(20)]
    for i, s in enumerate(clients):
        s.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n" if i % 2 else b"GET /ticks?ms=100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1.5)
    ticks = sum(map(int, pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()[13:15]))
    time.sleep(2)
    assert sum(map(int, pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()[13:15])) - ticks <= 3
    for s in clients:
        s.close()


# ---- TLS and Unix sockets

@pytest.fixture(scope="module")
def tls_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_tls(tls_files):
    server = Server("--tls", *tls_files)
    context = ssl.create_default_context(cafile=tls_files[0])
    try:
        with context.wrap_socket(server.connect(), server_hostname="localhost") as s:
            s.sendall(b"GET /base HTTP/1.1\r\nHost: localhost\r\n\r\nGET /lines/50000 HTTP/1.1\r\nHost: x\r\n\r\n"
                      b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            read_until(s, b"https://localhost")
            data = read_until(s, b"hello")
            assert data.count(b"line ") == 50000
        with context.wrap_socket(server.connect(), server_hostname="localhost") as s:
            s.sendall(b"GET /ticks?ms=50 HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(s, b"tick 3\n\r\n")
        with server.connect() as plain:
            plain.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"hello" not in read_all(plain)
        with server.connect() as scan:
            scan.sendall(os.urandom(500))
        assert server.alive()
    finally:
        server.stop()


def test_unix_socket(tmp_path):
    path = str(tmp_path / "s.sock")
    server = Server("--unix", path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert body_of(read_all(s)) == b"hello\n"
    server.stop()
    assert not os.path.exists(path)
