# SPDX-License-Identifier: Apache-2.0
"""A change that takes long to plan, beside another node that writes all the time."""
import hashlib
import json
import threading

import pytest


@pytest.fixture
def pair(redis, make_cluster):
    return make_cluster(redis)


def test_an_import_beside_a_busy_writer_is_answered(pair):
    """All of it or nothing; nobody waits for ever."""
    a, b = pair
    a.consumer("c0")
    pair.agree()
    ended = threading.Event()

    def write():
        with b.admin_connection() as connection:
            n = 0
            while not ended.is_set():
                answer = connection.call("PUT", "/v1/consumers/w", {"metadata": {"n": str(n)}})
                assert answer.status in (200, 201), answer
                n += 1

    lines = [json.dumps({"consumer": "c0", "sha256": hashlib.sha256(str(i).encode()).hexdigest()})
             for i in range(100000)]
    writer = threading.Thread(target=write)
    writer.start()
    try:
        answer = a.admin("POST", "/v1/keys/import", "\n".join(lines).encode(),
                         headers={"Content-Type": "application/x-ndjson"}, timeout=30)
    finally:
        ended.set()
        writer.join()
    assert answer.status in (201, 503), answer
    pair.agree()
    for node in pair:
        keys = node.admin("GET", "/v1/keys?consumer=c0&limit=10").json["items"]
        assert len(keys) == (10 if answer.status == 201 else 0)
