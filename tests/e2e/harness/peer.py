# SPDX-License-Identifier: Apache-2.0
"""Asks a node as another node does: signed with the cluster secret (cluster/peer_sign.h)."""
import hashlib
import hmac
import json
import os
import time

SECRET = "secret-of-the-cluster-for-tests"


def sign(method, target, body, to, sender="gw-x", secret=SECRET, at=None, nonce=None):
    moment = str(int((time.time() if at is None else at) * 1000))
    nonce = nonce or os.urandom(16).hex()
    digest = hashlib.sha256(body).hexdigest()
    key = hmac.new(secret.encode(), b"gatewayd peer requests", hashlib.sha256).digest()
    signed = "".join(f"{field}\n" for field in
                     ("v1", method, target, sender, to, moment, nonce, digest))
    mac = hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()
    return f"v1 from={sender} time={moment} nonce={nonce} body={digest} mac={mac}"


def ask(node, method, target, body=None, signature=None, **how):
    """The answer of `node`; `signature` in place of a right one ("": none)."""
    sent = b"" if body is None else json.dumps(body).encode()
    if signature is None:
        signature = sign(method, target, sent, node.name, **how)
    headers = [("Gatewayd-Signature", signature)] if signature else []
    return node.admin(method, target, sent if body is not None else None, token=None,
                      headers=headers + ([("Content-Type", "application/json")] if sent else []))
