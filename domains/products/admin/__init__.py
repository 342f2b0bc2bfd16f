"""Staff screens: forms and actions call services and show their refusals."""

from domains.products.admin import (  # noqa: F401  (each registers its screens)
    categories,
    files,
    ledger,
    prices,
    products,
    stock,
    types,
    warehouses,
)
