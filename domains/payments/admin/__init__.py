"""Staff screens: state is read-only, actions call services and show their refusals."""

from domains.payments.admin import (  # noqa: F401  (each registers its screens)
    differences,
    operations,
    payments,
)
