"""A file from its beginning to its end, as an operation.

A batch's effects, its faults and how far the file is done are committed together. Whatever happens
to the process, another run goes on behind the last batch that was committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from domains.products.rules.imports import reading
from domains.products.rules.imports.reading import Item
from domains.products.rules.imports.repeated import Repeated
from domains.products.rules.imports.trees import parents_first
from domains.products.services.imports import engine
from domains.products.services.imports.terms import Terms
from domains.products.services.imports.trials import Trial
from infrastructure.operations.work import Fault, Work
from infrastructure.storage import imports

BATCH = 500

# How many rows that were done before are read again between two signs of life.
_SIGN_OF_LIFE = 20_000


def run(work: Work) -> None:
    """params: `kind` of the file, its `format`, and the `mode`. Raises InvalidHeader.

    A trial of a tree is made in one run, and begins again where its process ended: what its
    batches have hung up is in memory only.
    """
    kind, file_format = work.params["kind"], work.params["format"]
    in_one_run = work.dry_run and kind == "categories"
    start = 0 if in_one_run else work.checkpoint.get("done", 0)
    counts = Counter(work.checkpoint.get("counts", {}) if start else {})
    write = engine.writer(kind, dry_run=work.dry_run)
    trial = None
    if work.dry_run:
        trial = Trial(kind, work.checkpoint.get("changes", []) if start else [])
    with imports.open(work.input_file) as file:
        if work.total is None:
            work.progress(total=reading.count(cast(BinaryIO, file), file_format))
            file.seek(0)
        items = _items(cast(BinaryIO, file), kind, file_format)
        to_do = _to_do(items, start, kind, work)
        for batch in work.batches(to_do, size=BATCH, in_one_run=in_one_run):
            terms = Terms(
                mode=work.params.get("mode", "upsert"), actor_id=work.actor_id, now=work.now()
            )
            with work.transaction():
                with work.effects():
                    engine.write_batch(write, batch, terms)
                    if trial is not None:
                        trial.look(batch, now=terms.now)
                told = {} if trial is None else {"changes": trial.compared(now=terms.now)}
                counts.update(item.outcome for item in batch)
                work.progress(
                    done=batch[-1].end,
                    checkpoint={"done": batch[-1].end, "counts": dict(counts), **told},
                    faults=[fault for item in batch for fault in _faults(item)],
                )
    told = {} if trial is None else {"changes": trial.changes}
    work.finish(result={**summary(counts, rows=work.done, faulty=work.failed), **told})


def summary(counts: Counter[Any], *, rows: int, faulty: int) -> dict[str, int]:
    """What an import came to. created, changed, unchanged, failed: things, such as products;
    rows, faulty_rows: rows of the file."""
    outcomes = ("created", "changed", "unchanged", "failed")
    return {
        **{outcome: counts.get(outcome, 0) for outcome in outcomes},
        "rows": rows,
        "faulty_rows": faulty,
    }


def _items(file: BinaryIO, kind: str, file_format: str) -> Iterator[Item]:
    """What the file speaks of, with what is repeated refused."""
    repeated = Repeated(kind)
    for item in reading.items(file, kind, file_format):
        repeated.note(item)
        yield item


def _to_do(items: Iterator[Item], start: int, kind: str, work: Work) -> Iterator[Item]:
    # A tree is sorted as a whole. Of all other kinds no more than a batch is in memory.
    found = iter(parents_first(list(items))) if kind == "categories" else items
    for number, item in enumerate(found, start=1):
        if item.end > start:
            yield item
        elif number % _SIGN_OF_LIFE == 0:
            work.progress()


# Names of fields that are none may be as long as a line.
_MOST_POINTER, _MOST_DETAIL = 200, 1_000


def _faults(item: Item) -> Iterator[Fault]:
    for fault in item.faults:
        yield Fault(
            row=fault.row,
            code=fault.code,
            detail=fault.detail[:_MOST_DETAIL],
            pointer=fault.pointer[:_MOST_POINTER],
        )
