# SPDX-License-Identifier: Apache-2.0
"""load.py URL SECONDS: requests for URL on new and on kept connections, with a pause of SECONDS on each, until
standard input ends; then says how many there were and what failed, as JSON. Every answer has to be 200, and a
kept connection is only left when it was said that it ends."""
import http.client
import json
import sys
import threading
import time
import urllib.parse

NEW = 2
KEPT = 4


class Count:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests = self.failed = 0
        self.errors = {}
        self.longest_ms = 0.0

    def add(self, begin, error):
        with self.lock:
            self.requests += 1
            self.longest_ms = max(self.longest_ms, (time.monotonic() - begin) * 1000)
            if error:
                self.failed += 1
                self.errors[error] = self.errors.get(error, 0) + 1


def ask(connection, path, close):
    connection.request("GET", path, headers={"Connection": "close"} if close else {})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"status {answer.status}")
    return answer.will_close


def client(url, is_new, pause, count, over):
    connection = None
    while not over.is_set():
        begin = time.monotonic()
        error = None
        try:
            if connection is None:
                connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
            if ask(connection, url.path, is_new) or is_new:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as why:
            error = f"{'new' if is_new else 'kept'}: {type(why).__name__}: {why}"
            connection.close()
            connection = None
        count.add(begin, error)
        time.sleep(pause)


def main():
    url, pause = urllib.parse.urlsplit(sys.argv[1]), float(sys.argv[2])
    count, over = Count(), threading.Event()
    threads = [threading.Thread(target=client, args=(url, n < NEW, pause, count, over)) for n in range(NEW + KEPT)]
    for thread in threads:
        thread.start()
    print("running", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"requests": count.requests, "failed": count.failed, "errors": count.errors,
                      "longest_ms": round(count.longest_ms)}))


main()
