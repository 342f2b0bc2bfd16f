"""The aggregate of carts. It has no table: `CartStore` keeps it in Redis."""

from domains.carts.models.carts import Cart, CartLine, CartStatus, Change, Hold
from domains.carts.models.store import CartStore, Once, store

__all__ = ["Cart", "CartLine", "CartStatus", "CartStore", "Change", "Hold", "Once", "store"]
