"""The routes of imports and exports: translate, make one call, translate back."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from domains.products import errors, tasks
from domains.products.api.parameters import once
from domains.products.api.serializers import imports as serializers
from domains.products.rules.imports.reading import FORMATS
from domains.products.rules.imports.rows import ROWS
from domains.products.services import exports
from domains.products.services.imports import files
from infrastructure import clock
from infrastructure.auth.errors import MissingScope
from infrastructure.http.errors import UnsupportedMediaType
from infrastructure.http.idempotency import IdempotencyKey
from infrastructure.http.requests import media_type
from infrastructure.http.views import APIView, operation
from infrastructure.operations import services as operations
from infrastructure.operations.api import serializers as operation_serializers
from infrastructure.operations.api.views import accepted
from infrastructure.operations.bulk import BulkAnswer, respond

_FORMAT_OF = {media: name for name, media in FORMATS.items()}

_ROW = {
    "external_id": "MH01",
    "name": "Hoodie",
    "status": "active",
    "variants": [
        {"sku": "MH01-XS", "options": {"size": "XS"}, "prices": {"EUR": "52.00"}},
        {"sku": "MH01-S", "options": {"size": "S"}, "prices": {"EUR": "52.00"}},
    ],
}


class Imports(APIView):
    scopes = {"POST": "catalogue.write"}

    @operation(
        summary="Import a file",
        description=(
            "`kind` is `products`, `categories`, `product-types`, `prices` or `stock`, for which"
            " `inventory.write` is needed as well. The body is the file, CSV or JSON Lines, as it"
            " is or with `Content-Encoding: gzip`. A small file is imported at once and the answer"
            " is 200 with the finished operation, unless the request prefers `respond-async`. Where"
            " it is not finished, such as for a repetition that comes while it is imported, the"
            " answer is 202."
        ),
        query=serializers.ImportFile,
        uploads=tuple(FORMATS.values()),
        responses={200: operation_serializers.Operation, 202: operation_serializers.Operation},
        errors=[
            errors.UnknownKind,
            errors.InvalidHeader,
            errors.UnreadableFile,
        ],
        idempotency="accepted",
        respond_async=True,
        retry_after=True,
    )
    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        query = self.query(serializers.ImportFile)
        _known(kind)
        if kind == "stock" and not self.actor.may("inventory.write"):
            raise MissingScope("inventory.write")
        now = clock.now()
        content = self.upload()
        received = files.receive(
            content,
            kind=kind,
            file_format=_FORMAT_OF[media_type(request.META["CONTENT_TYPE"])],
            is_gzip=_is_gzip(request),
            limit=settings.IMPORT_MAX_BYTES,
            now=now,
        )
        key = self.idempotency(request, (received.sha256, query))
        is_small = received.byte_size <= settings.IMPORT_SYNC_BYTES
        at_once = is_small and not self.prefer(request).respond_async

        def bring(key: IdempotencyKey | None) -> UUID:
            if at_once:
                done = files.run_now(
                    received,
                    mode=query.mode,
                    dry_run=query.dry_run,
                    actor_id=self.actor.id,
                    idempotency=key,
                )
                return done.id
            return files.start(
                received,
                mode=query.mode,
                dry_run=query.dry_run,
                actor_id=self.actor.id,
                now=now,
                idempotency=key,
            ).id

        operation_id, headers = once(key, bring)
        if headers:
            received.discard()
        found = operations.find(operation_id)
        assert found is not None
        if found.is_finished and at_once:
            return self.answer(operation_serializers.Operation.of(found), headers=headers)
        return accepted(self, found, headers=headers)


class Exports(APIView):
    scopes = {"POST": "catalogue.read"}

    @operation(
        summary="Export a file",
        description=(
            "`kind` as for imports; for `stock` `inventory.read` is needed as well. The answer is"
            " an operation, whose `links.result` is the file once it is over. What was exported is"
            " imported without a change."
        ),
        body=serializers.ExportFile,
        responses={202: operation_serializers.Operation},
        errors=[errors.UnknownKind, errors.UnknownFilter],
        idempotency="accepted",
        respond_async=True,
        retry_after=True,
        examples={
            "all products": {"format": "csv"},
            "a price list": {"format": "jsonl", "price_list": "wholesale"},
        },
    )
    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        body = self.body(serializers.ExportFile)
        _known(kind)
        if kind == "stock" and not self.actor.may("inventory.read"):
            raise MissingScope("inventory.read")
        operation_id, headers = once(
            self.idempotency(request, body),
            lambda key: (
                exports.start(
                    kind=kind,
                    file_format=body.format,
                    filters=body.filters(),
                    actor_id=self.actor.id,
                    now=clock.now(),
                    idempotency=key,
                ).id
            ),
        )
        started = operations.find(operation_id)
        assert started is not None
        return accepted(self, started, headers=headers)


class ProductsInBulk(APIView):
    scopes = {"POST": "catalogue.write"}

    @operation(
        summary="Create and change many products",
        description=(
            "Each item as a line of an import. A product is found by its external id, or else its"
            " slug, or else its SKUs; what an item does not name stays as it is. An item that is"
            " wrong in itself is refused by itself."
        ),
        body=serializers.UpsertProducts,
        responses={200: BulkAnswer, 202: operation_serializers.Operation},
        idempotency="accepted",
        respond_async=True,
        retry_after=True,
        examples={"one product": {"items": [_ROW]}},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        return respond(self, request, tasks.upsert_products, serializers.UpsertProducts)


def _known(kind: str) -> None:
    if kind not in ROWS:
        raise errors.UnknownKind(f"There are {', '.join(ROWS)}.")


def _is_gzip(request: HttpRequest) -> bool:
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("gzip", "identity"):
        raise UnsupportedMediaType(
            "Send it as it is or packed with gzip.", headers={"Accept-Encoding": "gzip"}
        )
    return encoding == "gzip"
