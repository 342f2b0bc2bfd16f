"""A simulated payment gateway: another company's system, as a process of its own.

It knows nothing of Kontor's code. It is idempotent by key, keeps every answer it gave through a
kill -9, and can be told to be slow, to decline, to fall silent after it has done the work, and to
notify twice and late.

    python -m devstack.gateway --port 8200 --latency-ms 5

    POST /authorisations  {"key", "amount_minor", "currency", "token", "reference"}
    POST /captures        {"key", "authorisation", "amount_minor"}
    POST /voids           {"key", "authorisation"}
          -> 200 {"id", "key", "kind", "status": "succeeded" | "refused", "code"}
             409 when the key was used for another request
    GET  /operations/{key}                      the answer given under that key, or 404
    GET  /authorisations?since=<n>&limit=<n>    all that was authorised, and what became of it
    GET  /settings, PUT /settings               behaviour, changeable while it runs
    GET  /health

POSTs and notifications are signed:
`Gateway-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<raw body>">`.
The secret is the environment's PAYMENT_GATEWAY_SECRET.
"""
