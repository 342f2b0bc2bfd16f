"""What anybody may fetch to verify our access tokens."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from infrastructure.auth.tokens import access_tokens

# A key is published this long before it signs; see docs/security.md.
SECONDS_CACHED = 300


@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        access_tokens().backend.ring.jwks(),
        headers={"Cache-Control": f"public, max-age={SECONDS_CACHED}"},
    )
