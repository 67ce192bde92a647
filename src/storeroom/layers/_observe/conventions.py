"""What traces and metrics are called: OpenTelemetry's words for S3, OpenDAL's for metrics.

https://opentelemetry.io/docs/specs/semconv/object-stores/s3/ names the spans of S3 and their attributes,
https://opendal.apache.org/docs/rust/opendal/layers/observe/index.html metrics, labels and buckets.
"""

from typing import Final

__all__ = [
    "BYTES",
    "BYTES_RATE",
    "DURATION",
    "ENTRIES",
    "ENTRIES_RATE",
    "FIRST_BYTE",
    "OPENDAL",
    "S3",
]

S3: Final = {
    "stat": "HeadObject",
    "read": "GetObject",
    "write": "PutObject",
    "remove": "DeleteObject",
    "scan": "ListObjectsV2",
    "copy_within": "CopyObject",
    "copy_from": "CopyObject",
    "remove_many": "DeleteObjects",
    "digest": "HeadObject",
    "read_visibility": "GetObjectAcl",
    "change_visibility": "PutObjectAcl",
    "start_parts": "CreateMultipartUpload",
    "write_part": "UploadPart",
    "list_parts": "ListParts",
    "complete_parts": "CompleteMultipartUpload",
    "abort_parts": "AbortMultipartUpload",
    "change_attributes": "CopyObject",
    "change_tier": "CopyObject",
    "read_tags": "GetObjectTagging",
    "change_tags": "PutObjectTagging",
    "list_versions": "ListObjectVersions",
    "read_version": "GetObject",
    "restore_version": "CopyObject",
    "remove_version": "DeleteObject",
}
"""The operation of Amazon's interface that an operation of ours stands for, where it is one."""

OPENDAL: Final = {
    "remove": "delete",
    "remove_many": "delete",
    "remove_folder": "delete",
    "remove_version": "delete",
    "read_version": "read",
    "extend": "write",
    "scan": "list",
    "list_versions": "list",
    "copy_within": "copy",
    "copy_from": "copy",
    "make_folder": "create_dir",
    "presign_read": "presign",
    "presign_write": "presign",
    "presign_post": "presign",
    "presign_part": "presign",
}
"""OpenDAL's word for an operation, where it is not ours."""

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30

BYTES: Final = (
    *(4 * _KIB, 64 * _KIB, 256 * _KIB),
    *(_MIB, 4 * _MIB, 16 * _MIB, 64 * _MIB, 256 * _MIB),
    *(_GIB, 5 * _GIB),
)
BYTES_RATE: Final = (
    *(8 * _KIB, 32 * _KIB, 128 * _KIB),
    *(_MIB, 8 * _MIB, 32 * _MIB, 128 * _MIB, 512 * _MIB),
    *(2 * _GIB, 8 * _GIB, 32 * _GIB),
)
ENTRIES: Final = (1, 5, 10, 50, 100, 500, 1000, 5000, 10000)
ENTRIES_RATE: Final = (1, 10, 50, 100, 500, 1000, 5000, 10000)
DURATION: Final = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
FIRST_BYTE: Final = (0.001, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
