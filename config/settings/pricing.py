"""How quotes are made."""

from __future__ import annotations

from config.settings.environment import env

# Whether prices, shipping's among them, are with tax; and the channels where it is the other way
# round, such as one for the trade.
PRICES_INCLUDE_TAX = env.flag("PRICES_INCLUDE_TAX", True)
PRICES_INCLUDE_TAX_EXCEPT_ON = env.items("PRICES_INCLUDE_TAX_EXCEPT_ON", [])
# How long a process goes by the promotions, taxes and shipping methods that it read, where nobody
# tells it that they changed.
PRICING_TERMS_SECONDS = env.number("PRICING_TERMS_SECONDS", 5.0)
