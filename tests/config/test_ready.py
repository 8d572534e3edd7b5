"""What `make up` says once the stack answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config.ready import sentences, wait_until_ready


@pytest.mark.parametrize("status", [200, 400])
def test_a_server_that_answers_is_ready(status):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_line):
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert wait_until_ready(f"http://127.0.0.1:{server.server_port}/", patience_seconds=30)


def test_one_that_does_not_is_given_up_on():
    assert not wait_until_ready("http://127.0.0.1:1/", patience_seconds=0.1)


def test_the_way_in_is_said_and_how_to_make_the_first_account():
    told = {"public_url": "https://sy.example.com", "logs": "/var/logs"}

    assert sentences(is_ready=True, has_account=True, **told) == ["Ready: sign in at https://sy.example.com/console/"]
    assert "create_account" in sentences(is_ready=True, has_account=False, **told)[-1]
    assert "/var/logs" in sentences(is_ready=False, has_account=False, **told)[0]
