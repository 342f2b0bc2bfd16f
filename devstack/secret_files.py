"""Draws the secrets of a compose project once, a file each: `python -m devstack.secret_files DIR`.

Services read them through `<NAME>_FILE`. The folder is a volume that only they mount.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.credentials import Credentials


def write(folder: Path) -> None:
    drawn = Credentials(folder / "credentials.json")
    database, redis = drawn.password("database"), drawn.password("redis")
    contents = {
        "postgres_password": database,
        "database_url": f"postgresql://kontor:{database}@postgres:5432/kontor",
        "redis_url": f"redis://:{redis}@valkey:6379/0",
        "valkey.conf": f"requirepass {redis}",
        "secret_key": drawn.key("secret_key"),
        "jwt_private_key": drawn.signing_key("jwt_private_key"),
        "pii_index_key": drawn.key("pii_index_key"),
        "order_number_key": drawn.key("order_number_key"),
        "staff_password": drawn.password("staff_password"),
    }
    for name, content in contents.items():
        path = folder / name
        path.write_text(f"{content}\n")
        # The servers' images run as users of their own.
        path.chmod(0o444)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
