"""Which column of CSV is which part of a row.

A column such as `name.de` has a parameter: behind the first point of its name stands the language,
the option, the attribute or the currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from domains.products.errors import InvalidHeader
from domains.products.rules.imports.cells import CLEAR, split, text_of
from domains.products.rules.imports.values import truth_of, whole_of
from infrastructure.errors import FieldError


class Cell(Enum):
    """How the cells of a column are read."""

    TEXT = "text"
    WHOLE = "whole"
    TRUTH = "truth"
    LIST = "list"
    CHOICES = "choices"


EXPECTED = {
    Cell.WHOLE: "Expected a whole number in plain digits, such as 5 or -3.",
    Cell.TRUTH: "Expected `true` or `false`.",
}
"""Cells that not every text can be -> what is said of one that is none."""


@dataclass(frozen=True, slots=True)
class Column:
    """name: in the header; `*` stands for the parameter. path: where its value is in the row."""

    name: str
    path: tuple[str, ...]
    meaning: str
    cell: Cell = Cell.TEXT


def _plain(
    *columns: tuple[str, str], below: tuple[str, ...] = (), cell: Cell = Cell.TEXT
) -> tuple[Column, ...]:
    return tuple(Column(name, (*below, name), meaning, cell) for name, meaning in columns)


_TEXTS = (
    ("name", "the name; needed by what is new"),
    ("description", "the description"),
    ("seo_title", "the title for search engines"),
    ("seo_description", "the description for search engines"),
)
_TRANSLATIONS = tuple(
    Column(f"{name}.*", ("texts", "*", name), f"{meaning.split(';')[0]} in a language, `{name}.de`")
    for name, meaning in _TEXTS
)
_VARIANT = ("variants", "0")
_ATTRIBUTE = ("attributes", "0")

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "products": (
        Column("external_id", ("external_id",), "what another system calls the product"),
        Column("slug", ("slug",), "its part of addresses; made from the name where it is missing"),
        Column("sku", (*_VARIANT, "sku"), "the SKU of the row's variant"),
        *_plain(*_TEXTS),
        Column(
            "status",
            ("status",),
            "`draft` (a new one unless it says otherwise), `active`, `archived`",
        ),
        Column("product_type", ("product_type",), "the code of its type"),
        Column(
            "categories",
            ("categories",),
            "the categories it is listed in, by external id or slug, as a list",
            Cell.LIST,
        ),
        Column(
            "attr.*",
            ("attributes", "*"),
            "an attribute of the product, `attr.material`; a number as `1000` or `12.5`, without"
            " separators",
        ),
        *_TRANSLATIONS,
        Column(
            "variant_external_id",
            (*_VARIANT, "external_id"),
            "what another system calls the variant",
        ),
        Column("variant_name", (*_VARIANT, "name"), "the name of the variant"),
        *_plain(("barcode", "its bar code"), below=_VARIANT),
        Column("option.*", (*_VARIANT, "options", "*"), "what sets it apart, `option.size`"),
        Column("variant_attr.*", (*_VARIANT, "attributes", "*"), "an attribute of the variant"),
        *_plain(
            ("weight_g", "grams"),
            ("length_mm", "millimetres"),
            ("width_mm", "millimetres"),
            ("height_mm", "millimetres"),
            below=_VARIANT,
            cell=Cell.WHOLE,
        ),
        *_plain(
            ("tax_class", "the code of its tax class; `standard` for a new one"),
            ("unit", "`piece`, `g` or `cm`: what a quantity of one is; stays as it was created"),
            below=_VARIANT,
        ),
        *_plain(("retired", "`true`: it is sold no more"), below=_VARIANT, cell=Cell.TRUTH),
        Column(
            "price.*",
            (*_VARIANT, "prices", "*"),
            "the regular price of one in the base list, `price.EUR`",
        ),
    ),
    "categories": (
        *_plain(
            ("external_id", "what another system calls the category"),
            ("slug", "its part of addresses; made from the name where it is missing"),
            (
                "parent",
                "the category it lies in, by external id or slug, anywhere in the file; a "
                "new one without a parent is a root",
            ),
            (
                "position",
                "orders siblings: a number, or a text that is compared byte by byte; a "
                "new one without it comes last",
            ),
            *_TEXTS,
        ),
        *_TRANSLATIONS,
    ),
    "product-types": (
        *_plain(("code", "the code of the type"), ("name", "its name; needed by a new one")),
        Column("attribute", (*_ATTRIBUTE, "code"), "the code of the row's attribute"),
        Column("attribute_name", (*_ATTRIBUTE, "name"), "its name"),
        Column("attribute_name.*", (*_ATTRIBUTE, "names", "*"), "its name in a language"),
        *_plain(
            ("kind", "`text`, `number`, `choice`, `multi_choice`, `boolean` or `date`"),
            ("unit", "of a number"),
            below=_ATTRIBUTE,
        ),
        Column("choices", (*_ATTRIBUTE, "choices"), "as a list of `code=Name`", Cell.CHOICES),
        *_plain(
            ("required", "`true`: an active product has to have it"),
            ("filterable", "`true`: lists can be filtered by it"),
            below=_ATTRIBUTE,
            cell=Cell.TRUTH,
        ),
        *_plain(("level", "`product` or `variant`"), below=_ATTRIBUTE),
    ),
    "prices": (
        *_plain(
            ("sku", "the SKU"),
            ("currency", "ISO 4217"),
            ("amount", "with at most the decimals of the currency"),
            ("price_list", "the code of a price list; the base list where it is empty"),
            ("kind", "`regular` or `sale`"),
        ),
        *_plain(("min_quantity", "from how many on; 1 where it is empty"), cell=Cell.WHOLE),
        *_plain(
            ("valid_from", "ISO 8601 with an offset; at once where it is empty"),
            ("valid_until", "ISO 8601 with an offset; until further notice where it is empty"),
        ),
    ),
    "stock": (
        *_plain(("sku", "the SKU"), ("warehouse", "its code; `main` where it is empty")),
        *_plain(
            ("on_hand", "a count: so many are there"),
            (
                "change_from",
                "with a count: what was believed to be there; another number is a fault",
            ),
            ("delta", "instead of a count: so many more, or less"),
            cell=Cell.WHOLE,
        ),
        *_plain(("reason", "for the ledger")),
    ),
}
"""Kind of file -> its columns."""

REQUIRED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "products": (("sku", "external_id", "slug"),),
    "categories": (("external_id", "slug"),),
    "product-types": (("code",),),
    "prices": (("sku",), ("currency",), ("amount",)),
    "stock": (("sku",), ("on_hand", "delta")),
}
"""Kind of file -> of each group of columns one is needed."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "products": ("external_id", "slug", "sku"),
    "product-types": ("code",),
}
"""Kinds whose rows belong together -> the columns that say so, the first one that is filled."""

PARTS: Mapping[str, str] = {"products": "variants", "product-types": "attributes"}
"""Kinds whose rows belong together -> the list that the rows are the items of."""


@dataclass(frozen=True, slots=True)
class _Bound:
    name: str
    path: tuple[str, ...]
    cell: Cell


class Header:
    """The columns of one file, in its order. Raises InvalidHeader with all that is wrong."""

    def __init__(self, kind: str, names: Sequence[str]) -> None:
        self.kind = kind
        faults: list[FieldError] = []
        self._bound: list[_Bound] = []
        for name in names:
            column = column_of(kind, name)
            if column is None:
                faults.append(FieldError(name[:100], "unknown_column", f"No column {name[:100]}."))
                continue
            parameter = name.partition(".")[2]
            path = tuple(parameter if step == "*" else step for step in column.path)
            if any(bound.path == path for bound in self._bound):
                faults.append(FieldError(name, "repeated_column", f"{name} occurs twice."))
            self._bound.append(_Bound(name, path, column.cell))
        given = {bound.name for bound in self._bound}
        faults += [
            FieldError(group[0], "missing_column", f"A column {' or '.join(group)} is needed.")
            for group in REQUIRED[kind]
            if not given.intersection(group)
        ]
        if faults:
            raise InvalidHeader(" ".join(fault.detail for fault in faults[:20]), errors=faults)
        self._at = {
            "/" + "/".join(_escaped(step) for step in bound.path): bound for bound in self._bound
        }
        places = {bound.name: number for number, bound in enumerate(self._bound)}
        self._keys = [places[name] for name in KEYS.get(kind, ()) if name in places]

    def __len__(self) -> int:
        return len(self._bound)

    def value_of(self, cells: Sequence[str]) -> dict[str, Any]:
        """The cells of a row as the value that its type is made of."""
        value: dict[str, Any] = {}
        for bound, cell in zip(self._bound, cells, strict=True):
            if not cell:
                continue
            part = value
            for step in bound.path[:-1]:
                part = part.setdefault(step, {})
            part[bound.path[-1]] = None if cell == CLEAR else _read(text_of(cell), bound.cell)
        for name in ("variants", "attributes"):
            if isinstance(value.get(name), dict) and name == PARTS.get(self.kind):
                value[name] = list(value[name].values())
        return value

    def key_of(self, cells: Sequence[str]) -> str | None:
        """What rows that belong together have in common; None for a row on its own."""
        for place in self._keys:
            if cells[place]:
                return f"{place}:{cells[place]}"
        return None

    def column_at(self, pointer: str) -> str:
        """The column that a JSON pointer into the row leads to; also one that the file could have
        and has not, where that is what is wrong."""
        while pointer:
            if pointer in self._at:
                return self._at[pointer].name
            if name := _name_of(self.kind, pointer):
                return name
            pointer = pointer.rpartition("/")[0]
        return ""

    def cell_at(self, pointer: str) -> Cell:
        """How the cell is read that a JSON pointer into the row leads to."""
        return self._at[pointer].cell if pointer in self._at else Cell.TEXT


def _read(text: str, cell: Cell) -> Any:
    """What is no such value stays the text, and is refused later."""
    match cell:
        case Cell.TEXT:
            return text
        case Cell.WHOLE:
            return whole_of(text)
        case Cell.TRUTH:
            return truth_of(text)
        case Cell.LIST:
            return split(text)
    pairs = [item.partition("=") for item in split(text)]
    return [{"code": code, "name": name or code} for code, _, name in pairs]


def _name_of(kind: str, pointer: str) -> str:
    """What a column would be called whose values are at this pointer into a row."""
    steps = pointer.split("/")[1:]
    for column in COLUMNS[kind]:
        if len(column.path) == len(steps):
            pairs = list(zip(column.path, steps, strict=True))
            if all(step in (there, "*") for step, there in pairs):
                parameters = [there for step, there in pairs if step == "*"]
                return column.name.replace("*", "".join(parameters))
    return ""


def column_of(kind: str, name: str) -> Column | None:
    """None where files of this kind have no such column."""
    family, point, parameter = name.partition(".")
    for column in COLUMNS[kind]:
        if column.name == name or (point and parameter and column.name == f"{family}.*"):
            return column
    return None


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
