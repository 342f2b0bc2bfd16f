"""Places the invoices of the data as orders, through the public HTTP API of a running shop."""
