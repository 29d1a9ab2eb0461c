# SPDX-License-Identifier: Apache-2.0
"""The newest @huggingface/hub from npm against a real server."""
import json
import pathlib

import clients

HERE = pathlib.Path(__file__).parent


def test_the_javascript_client(server):
    folder = clients.javascript()
    done = server.run("node", HERE / "hub_client.mjs", server.endpoint, server.token, folder)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "cpu-basic" in result["hardware"]
    assert [line for line in result["lines"] if not line.startswith("=====")] == ["one", "two"], result["lines"]
    assert result["job"]["status"]["stage"] == "COMPLETED"
    assert result["listed"]
    assert result["copy"] == {"type": "duplicated-job", "id": result["id"]}
    assert result["events"], "no event"
    assert result["canceled"] == "CANCELED"
    assert "flavor" in result["error"] and "Request ID" in result["error"]
