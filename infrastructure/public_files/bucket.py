"""Public files in a bucket of any S3-compatible store."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from infrastructure.public_files import CACHE_CONTROL

# A request waits for this, so a store that is away must be noticed soon.
_TIMEOUTS = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})


class BucketStorage(S3Storage):
    """Equal names have equal content here, so nothing is looked up before it is written."""

    faults = (BotoCoreError, ClientError, OSError)

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **options,
            file_overwrite=True,
            querystring_auth=False,
            default_acl=None,
            object_parameters={"CacheControl": CACHE_CONTROL},
        )
        self.client_config: Config = self.client_config.merge(_TIMEOUTS)
