# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks on loopback that does what a test tells it to: be slow, break, redirect, refuse."""
import http.server
import json
import threading
import time


class Received:
    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.at = time.monotonic()

    @property
    def payload(self):
        return json.loads(self.body)


class Receiver:
    """`answer(received)` gives a status, or (status, headers, body), or None to break the connection."""

    def __init__(self, answer=None, port=0):
        self.received = []
        self.answer = answer or (lambda received: 200)
        self.connections = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                receiver.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received = Received(self, body)
                receiver.received.append(received)
                answer = receiver.answer(received)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:  # the sender has gone
                    self.close_connection = True

            do_GET = do_POST

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def payloads(self):
        return [received.payload for received in list(self.received)]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
