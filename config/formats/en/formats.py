"""How staff screens write days and instants, which are in UTC: to the minute, and in one way."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i"
