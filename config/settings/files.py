"""Where files lie: those that are imported and exported, and the pictures of products."""

from __future__ import annotations

from typing import Any

from config.settings.environment import BASE_DIR, PUBLIC_URL, env

# Where files lie that have no bucket. All replicas need the same folder, or buckets.
FILES_DIR = env.text("FILES_DIR", str(BASE_DIR / ".local" / "files"))
# Any S3-compatible store. The private bucket holds what is imported and exported.
S3_PRIVATE_BUCKET = env.text("S3_PRIVATE_BUCKET", "")
_s3 = {
    "endpoint_url": env.text("S3_ENDPOINT_URL", "") or None,
    "region_name": env.text("S3_REGION", "") or None,
    "access_key": env.text("S3_ACCESS_KEY", "") or None,
    "secret_key": env.text("S3_SECRET_KEY", "") or None,
    "default_acl": None,
    "file_overwrite": False,
}


def _private(name: str) -> dict[str, Any]:
    if S3_PRIVATE_BUCKET:
        options = {**_s3, "bucket_name": S3_PRIVATE_BUCKET, "location": name}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": f"{FILES_DIR}/{name}",
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    }


# The public bucket holds the pictures of products; they are fetched from MEDIA_PUBLIC_URL, which
# is that of a CDN, of the bucket, or of whatever serves the folder.
S3_MEDIA_BUCKET = env.text("S3_MEDIA_BUCKET", "")
MEDIA_PUBLIC_URL = env.text("MEDIA_PUBLIC_URL", "" if S3_MEDIA_BUCKET else f"{PUBLIC_URL}/media/")
env.require(MEDIA_PUBLIC_URL, "S3_MEDIA_BUCKET needs MEDIA_PUBLIC_URL")
env.require(MEDIA_PUBLIC_URL.endswith("/"), "MEDIA_PUBLIC_URL must end with a slash")
# Of a file that is sent, and of the picture in it.
MEDIA_MAX_BYTES = env.integer("MEDIA_MAX_BYTES", 10 * 1024 * 1024)
MEDIA_MAX_PIXELS = env.integer("MEDIA_MAX_PIXELS", 25_000_000)
# Pictures decoded at once in one process; each takes up to about 12 bytes per pixel for a moment.
MEDIA_DECODE_CONCURRENCY = env.integer("MEDIA_DECODE_CONCURRENCY", 1)
# Widths in pixels that a worker makes of every picture that is wider.
MEDIA_WIDTHS = env.integers("MEDIA_WIDTHS", [160, 320, 640, 1280])
env.require(
    MEDIA_WIDTHS and all(16 <= width <= 2560 for width in MEDIA_WIDTHS),
    "MEDIA_WIDTHS must be of 16 to 2560",
)
# Files that no product shows any more stay for so long: pages and caches may still name them.
MEDIA_GRACE_HOURS = env.integer("MEDIA_GRACE_HOURS", 72)
env.require(MEDIA_GRACE_HOURS >= 1, "MEDIA_GRACE_HOURS must be 1 or more")


def _media() -> dict[str, Any]:
    if S3_MEDIA_BUCKET:
        options = {name: _s3[name] for name in _s3 if name not in ("default_acl", "file_overwrite")}
        options |= {"bucket_name": S3_MEDIA_BUCKET, "location": "media"}
        return {"BACKEND": "infrastructure.public_files.bucket.BucketStorage", "OPTIONS": options}
    return {
        "BACKEND": "infrastructure.public_files.folder.FolderStorage",
        "OPTIONS": {"location": f"{FILES_DIR}/media"},
    }


STORAGES: dict[str, dict[str, Any]] = {
    "media": _media(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "imports": _private("imports"),
    "exports": _private("exports"),
}
