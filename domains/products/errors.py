"""The refusals of products, each with its code and HTTP status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from infrastructure.errors import DomainError, FieldError


class ProductNotFound(DomainError):
    code, status, title = "product_not_found", 404, "No such product"


class UnknownProduct(DomainError):
    """The input names a product that does not exist, by its id, its slug, or `external:` and its
    external id."""

    code, status, title = "unknown_product", 400, "Unknown product"


class VariantNotFound(DomainError):
    code, status, title = "variant_not_found", 404, "No such SKU"


class CategoryNotFound(DomainError):
    code, status, title = "category_not_found", 404, "No such category"


class UnknownCategory(DomainError):
    """The input names a category that does not exist. Categories are named by their slug, or by
    `external:` and their external id, not by their id."""

    code, status, title = "unknown_category", 400, "Unknown category"

    @classmethod
    def at(cls, places: Iterable[tuple[str, str]]) -> Self:
        """places: where the input names which."""
        how = "It is named by its slug, or by `external:` and its external id."
        return cls(
            errors=[
                FieldError(pointer, cls.code, f"There is no category {name}. {how}")
                for pointer, name in places
            ]
        )


class SkuTaken(DomainError):
    code, status, title = "sku_taken", 409, "The SKU belongs to another variant"


class CategoryCycle(DomainError):
    code, status, title = "category_cycle", 409, "A category cannot lie below itself"


class CategoryTooDeep(DomainError):
    code, status, title = "category_too_deep", 409, "The category tree is too deep"


class ProductArchived(DomainError):
    code, status, title = "product_archived", 409, "The product is archived"


class NothingToSell(DomainError):
    """A product needs a variant, and each of its SKUs once."""

    code, status, title = "nothing_to_sell", 400, "The product has no variant to sell"


class InvalidProduct(DomainError):
    """Something about it is not as its type or its other variants demand; `errors` has it all."""

    code, status, title = "invalid_product", 400, "The product is not valid"


class LastVariant(DomainError):
    code, status, title = "last_variant", 409, "A product on sale keeps at least one variant"


class InvalidSlug(DomainError):
    """It would be taken for an id, an external id or another route."""

    code, status, title = "invalid_slug", 400, "The slug would be taken for something else"


class SlugTaken(DomainError):
    """Another one has it, or had it, so that it still leads there."""

    code, status, title = "slug_taken", 409, "The slug leads to something else"


class ExternalIdTaken(DomainError):
    code, status, title = "external_id_taken", 409, "The external id belongs to something else"


class UnknownLocale(DomainError):
    """Texts are kept in the locales of the shop; those of the default one are the fields."""

    code, status, title = "unknown_locale", 400, "The shop has no such locale"


class ProductTypeNotFound(DomainError):
    code, status, title = "product_type_not_found", 404, "No such product type"


class UnknownProductType(DomainError):
    """The input names a product type that does not exist."""

    code, status, title = "unknown_product_type", 400, "Unknown product type"


class InvalidProductType(DomainError):
    """Its attributes do not go together; `errors` names every fault."""

    code, status, title = "invalid_product_type", 400, "The product type is not valid"


class ProductTypeTaken(DomainError):
    code, status, title = "product_type_taken", 409, "There is a product type with this code"


class ProductTypeInUse(DomainError):
    """Products have values that the change would leave without a meaning."""

    code, status, title = "product_type_in_use", 409, "Products use what would be taken away"


class CategoryNotEmpty(DomainError):
    code, status, title = "category_not_empty", 409, "Something lies in the category"


class NegativePrice(DomainError):
    code, status, title = "negative_price", 400, "A price cannot be negative"


class PriceTooLarge(DomainError):
    code, status, title = "amount_too_large", 400, "A price cannot be as large as that"


class InvalidValidity(DomainError):
    """Of a price or a price list: it would be over before it begins, or begin in the past."""

    code, status, title = "invalid_validity", 400, "No such time can be"


class InvalidPercentage(DomainError):
    code, status, title = "invalid_percentage", 400, "Prices cannot change by so many percent"


class PricesChanged(DomainError):
    """What was previewed is not what would be done any more."""

    code, status, title = "prices_changed", 409, "The prices were changed by someone else"


class TooManyPrices(DomainError):
    code, status, title = "too_many_prices", 409, "The variant has too many prices"


class EntryNotFound(DomainError):
    code, status, title = "price_entry_not_found", 404, "No such price entry"


class EntryEnded(DomainError):
    code, status, title = "price_entry_ended", 409, "The price entry is over"


class PriceNotFound(DomainError):
    code, status, title = "price_not_found", 404, "The SKU has no such price"


class PriceListNotFound(DomainError):
    code, status, title = "price_list_not_found", 404, "No such price list"


class UnknownPriceList(DomainError):
    """The input names a price list that does not exist, or one of another currency."""

    code, status, title = "unknown_price_list", 400, "Unknown price list"


class PriceListTaken(DomainError):
    code, status, title = "price_list_taken", 409, "The code belongs to another price list"


class InvalidCode(DomainError):
    """Channels are named by codes of small letters, digits and hyphens, 40 at most."""

    code, status, title = "invalid_code", 400, "Not a code"


class UnknownChannel(DomainError):
    """The input names a channel that does not exist."""

    code, status, title = "unknown_channel", 400, "Unknown channel"


class InvalidQuantity(DomainError):
    code, status, title = "invalid_quantity", 400, "The quantity is out of range"


class NegativeStock(DomainError):
    """A relative adjustment would take more away than the warehouse holds."""

    code, status, title = "negative_stock", 409, "There is less in stock than that"


class StockChanged(DomainError):
    """The stock is not what the caller believed it to be; `errors` have the current values."""

    code, status, title = "stock_changed", 409, "The stock was changed by someone else"


class WarehouseNotFound(DomainError):
    code, status, title = "warehouse_not_found", 404, "No such warehouse"


class UnknownWarehouse(DomainError):
    """The input names a warehouse that does not exist."""

    code, status, title = "unknown_warehouse", 400, "Unknown warehouse"


class WarehouseExists(DomainError):
    code, status, title = "warehouse_exists", 409, "The code belongs to another warehouse"


class WarehouseInactive(DomainError):
    code, status, title = "warehouse_inactive", 409, "The warehouse is closed"


class WarehouseNotEmpty(DomainError):
    code, status, title = "warehouse_not_empty", 409, "There still is stock in the warehouse"


class MainWarehouseNeeded(DomainError):
    code, status, title = "main_warehouse_needed", 409, "The main warehouse cannot be closed"


class SeveralWarehouses(DomainError):
    """A count of the total cannot say which of several warehouses it is about."""

    code, status, title = "several_warehouses", 409, "The stock lies in several warehouses"


class SameWarehouse(DomainError):
    code, status, title = "same_warehouse", 400, "A transfer needs two warehouses"


class ChangeBarred(DomainError):
    """What the goods should move for was refused before, and they never move for it any more."""

    code, status, title = "change_barred", 409, "It was refused before"


class NotHeld(DomainError):
    """More is taken out for an order than is held for it."""

    code, status, title = "not_held", 409, "That much is not held for the order"


class MediaNotFound(DomainError):
    code, status, title = "media_not_found", 404, "No such picture"


class UnsupportedImage(DomainError):
    """The bytes of the file are none of the kinds of pictures that are accepted."""

    code, status, title = "unsupported_image", 415, "The file is no picture that is accepted"


class BrokenImage(DomainError):
    code, status, title = "broken_image", 400, "The picture cannot be decoded"


class TooManyPixels(DomainError):
    code, status, title = "too_many_pixels", 400, "The picture is too large"


class TooManyMedia(DomainError):
    code, status, title = "too_many_media", 409, "The product has too many pictures"


class MediaExists(DomainError):
    """The product shows this very picture already, for the same variant."""

    code, status, title = "media_exists", 409, "The product has this picture already"


class InvalidHeader(DomainError):
    """The first line of a CSV file names columns that do not exist, or not those it needs."""

    code, status, title = "invalid_header", 400, "The header is not valid"


class UnreadableFile(DomainError):
    """The file is not packed as was said, or ends too early."""

    code, status, title = "unreadable_file", 400, "The file cannot be read"


class UnknownFilter(DomainError):
    """An export of this kind cannot be filtered so; `errors` names every such filter."""

    code, status, title = "unknown_filter", 400, "No such filter of this kind"


class UnknownKind(DomainError):
    """There are files of products, categories, product types, prices and stock."""

    code, status, title = "unknown_kind", 404, "No such kind of file"


class NotTried(DomainError):
    """An import is confirmed after a dry run of the same file has come to its end."""

    code, status, title = "not_tried", 409, "The import was not tried out before"
