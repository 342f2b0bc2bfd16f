"""What may be done to an order once it was placed: the methods of the aggregate, by subject."""

from domains.orders.models.commands.cancelling import Cancelling
from domains.orders.models.commands.editing import Editing
from domains.orders.models.commands.fulfilling import Fulfilling
from domains.orders.models.commands.paying import Paying
from domains.orders.models.commands.refunding import Refunding

__all__ = ["Cancelling", "Editing", "Fulfilling", "Paying", "Refunding"]
