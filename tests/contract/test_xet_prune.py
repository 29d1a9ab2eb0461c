# SPDX-License-Identifier: Apache-2.0
"""Uploads that no row names, because a crash came between the file and the row, do not stay for ever."""
import os
import time

import requests
import xet

from server import wait_until


def test_what_a_crash_left_is_removed(make_fake):
    fake = make_fake("buckets.upload_keep=60")
    fake.call("POST", "/api/buckets/alice/b")
    cas = fake.call("GET", "/api/buckets/alice/b/xet-write-token").json()
    known, fresh = xet.Xorb([b"known"]), xet.Xorb([b"fresh"])
    answer = requests.post(f"{cas['casUrl']}/v1/xorbs/default/{known.text}", data=known.body,
                           headers={"Authorization": f"Bearer {cas['accessToken']}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    [first] = fake.state.glob(f"xet/*/xorbs/*/{known.text}")
    store = first.parents[2]

    def leave(kind, name, age_s):
        path = store / kind / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
        os.utime(path, (time.time() - age_s, time.time() - age_s))
        return path
    # The first one is as old, but has a row.
    os.utime(first, (time.time() - 3600, time.time() - 3600))
    young = leave("xorbs", fresh.text, 0)
    lost = [leave("xorbs", "ab" * 32, 3600), leave("tables", "cd" * 32, 3600)]
    wait_until(lambda: not any(path.exists() for path in lost), 30, "the removal")
    assert first.exists() and young.exists()
