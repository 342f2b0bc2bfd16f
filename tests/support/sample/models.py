from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from infrastructure.aggregates import AggregateQuerySet, AggregateRoot, Owned, OwnedModel
from infrastructure.events.event import Event, published
from infrastructure.ids import new_id


@published("sample.parcel_packed", topic="sample-events")
@dataclass(frozen=True, kw_only=True, slots=True)
class ParcelPacked(Event):
    items: int


@published("sample.parcel_renamed", topic="sample-events")
@dataclass(frozen=True, kw_only=True, slots=True)
class ParcelRenamed(Event):
    label: str


class Parcel(AggregateRoot):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    label = models.CharField(max_length=20, unique=True)
    weight = models.DecimalField(max_digits=8, decimal_places=3, null=True)
    notes = models.JSONField(default=dict, db_column="remarks")
    tags = ArrayField(models.CharField(max_length=10), default=list)
    takes = models.DurationField(null=True)
    origin = models.GenericIPAddressField(null=True)
    due_date = models.DateField(null=True)
    packed_at = models.DateTimeField(null=True)
    seal = models.BinaryField(default=b"")
    fragile = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)
    created_at = models.DateTimeField(db_default=Now())

    things = Owned("thing_rows")

    objects = AggregateQuerySet.as_manager()

    @classmethod
    def pack(cls, *, label: str, names: list[str], now: datetime, **fields: object) -> Self:
        parcel = cls(label=label, packed_at=now, **fields)
        parcel.things = [Thing(name=name, position=n) for n, name in enumerate(names)]
        parcel.record(ParcelPacked(items=len(names), occurred_at=now))
        return parcel

    def rename(self, label: str, *, now: datetime) -> None:
        self.label = label
        self.record(ParcelRenamed(label=label, occurred_at=now))


class Thing(OwnedModel):
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="thing_rows")
    position = models.IntegerField()
    name = models.CharField(max_length=10)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["parcel", "position"], name="thing_position")
        ]
