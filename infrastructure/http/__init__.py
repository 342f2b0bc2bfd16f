"""HTTP conventions, in one place for every context.

* `views`: the base view and `@operation`; `types`: what its bodies and queries are made of
* `decoding`: from bytes to those types, or every fault at once
* `errors`, `problems`: refusals of HTTP itself, and how any refusal looks; `catalogue` lists them
* `requests`: what headers say; `idempotency`, `pagination`, `limits`: what they are named after
* `middleware`, `health`: the edge of the application and its probes
* `openapi`, `compatibility`: the description of the API, and what a change of it breaks
"""
