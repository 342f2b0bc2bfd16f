"""The local stack: PostgreSQL, Valkey, Kafka and the shop's own processes, without Docker."""
