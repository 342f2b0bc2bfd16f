"""A simulated payment gateway: another company's system, as a process of its own.

It knows nothing of Kontor's code. It is idempotent by key, keeps every answer it gave through a
kill -9, and can be told to be slow, to decline, to fall silent after it has done the work, and to
notify twice and late.

    python -m devstack.gateway --port 8200 --latency-ms 5

    POST /authorisations  {"key", "amount_minor", "currency", "reference", "token", "return_url"?,
                           "keep"?} or "saved_method" instead of the token
    POST /captures        {"key", "authorisation", "amount_minor"}
    POST /voids           {"key", "authorisation", "rest"?}   rest: of what was captured in part
          -> 200 {"id", "key", "kind", "status": "succeeded" | "refused" | "action_required",
                  "code", "authorisation", "amount_minor", "currency", "at", "action_url", "kept"}
             409 when the key was used for another request
    POST /forgotten-methods {"token"}           let go of what was kept of a means of payment
    GET  /operations/{key}                      the same about that key, or 404
    GET  /operations?since=<s>&until=<s>&after=<n>   what was done in this time, in pages
    GET  /actions/{id}                          the page on which a customer approves or denies:
                                                then they are sent to the return_url
    GET  /authorisations?since=<n>&limit=<n>    all that was authorised, and what became of it
    POST /dashboard {"kind", "authorisation", "amount_minor"}  done without the shop, as in the
                                                gateway's own screens: its key is null
    POST /losses {"key"}                        deny an operation from now on, until a restart
    GET  /settings, PUT /settings               behaviour, changeable while it runs
    GET  /health

POSTs and notifications are signed:
`Gateway-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<raw body>">`.
The secret is the environment's PAYMENT_GATEWAY_SECRET.
"""
