# SPDX-License-Identifier: Apache-2.0
"""The Redis of the stories itself: what they rely on when they break it."""
import time

import pytest

from harness.certs import Authority
from harness.resp import RedisError


def test_what_was_written_outlives_a_kill_unless_it_is_forgotten(redis):
    redis.cli("SET", "{gatewayd}:a", "1")
    redis.restart(kill=True)
    assert redis.cli("GET", "{gatewayd}:a") == b"1"
    redis.restart(keep=False)
    assert redis.cli("GET", "{gatewayd}:a") is None


def test_the_documented_user_may_do_what_it_needs_and_no_more(redis):
    with redis.connect("gatewayd", redis.password) as connection:
        connection.call("SET", "{gatewayd}:a", "1")
        assert connection.call("EVAL", "return redis.call('TIME')", 0)
        for words in (["SET", "other", "1"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"],
                      ["EVAL", "return redis.call('GET', 'other')", 0]):
            with pytest.raises(RedisError):
                connection.call(*words)


def test_sentinels_put_another_master_in_place(make_sentinels):
    cluster = make_sentinels()
    before = cluster.master()
    before.kill()
    after = cluster.wait_for_other_master(before)
    assert after.cli("SET", "{gatewayd}:a", "1") == "OK"


def test_a_server_speaks_tls(make_redis, tmp_path):
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("redis", "127.0.0.1")
    redis = make_redis(tls={"ca": authority.cert, "cert": cert, "key": key})
    assert redis.cli("PING") == "PONG"


def test_the_proxy_delays_holds_and_cuts(redis, make_proxy):
    proxy = make_proxy(redis)
    redis.port, real = proxy.port, redis.port
    try:
        with redis.connect() as connection:
            proxy.delay = 0.2
            begun = time.monotonic()
            connection.call("PING")
            assert time.monotonic() - begun >= 0.2
            proxy.cut()
            with pytest.raises(OSError):
                connection.call("PING")
        proxy.refusing = True
        with pytest.raises(OSError):
            redis.cli("PING")
        proxy.refusing = False
        proxy.delay = 0
        assert redis.cli("PING") == "PONG"
    finally:
        redis.port = real
