"""The refusals of products, each with its code and HTTP status."""

from __future__ import annotations

from infrastructure.errors import DomainError


class ProductNotFound(DomainError):
    code, status, title = "product_not_found", 404, "No such product"


class VariantNotFound(DomainError):
    code, status, title = "variant_not_found", 404, "No such SKU"


class CategoryNotFound(DomainError):
    code, status, title = "category_not_found", 404, "No such category"


class UnknownCategory(DomainError):
    """The input names a category that does not exist."""

    code, status, title = "unknown_category", 400, "Unknown category"


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


class NegativePrice(DomainError):
    code, status, title = "negative_price", 400, "A price cannot be negative"


class InvalidQuantity(DomainError):
    code, status, title = "invalid_quantity", 400, "The quantity is out of range"


class NegativeStock(DomainError):
    """A relative adjustment would take more away than the warehouse holds."""

    code, status, title = "negative_stock", 409, "There is less in stock than that"


class StockChanged(DomainError):
    """The stock is not what the caller believed it to be; the detail has the current value."""

    code, status, title = "stock_changed", 409, "The stock was changed by someone else"
