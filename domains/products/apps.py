from infrastructure.apps import ContextConfig


class ProductsConfig(ContextConfig):
    name = "domains.products"

    def ready(self) -> None:
        super().ready()
        from domains.products.models import connect_reference_rows

        connect_reference_rows(self)
