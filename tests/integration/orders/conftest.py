from tests.integration.payments.conftest import gateway

__all__ = ["gateway"]
