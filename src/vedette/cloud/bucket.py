"""The S3 bucket of a fleet: artifacts by their content, and small documents that are changed under conditions."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.errors import AlreadyThereError, CloudError, NotFoundError, UnreachableError
from vedette.documents.model_files import sha256_of

BUCKET_PREFIX: Final = "vedette-components"
"""GDK makes the same name of it: ``vedette-components-<region>-<account>``."""
WORKERS: Final = 6
PART_BYTES: Final = 16 << 20
_PARTS_AT_ONCE: Final = 4
"""Each is held in memory twice while it goes up: the whole stays under 200 MB, however large a file is."""
_MAX_PARTS: Final = 9_000

Progress = Callable[[int, int], None]
"""Called with the bytes that are up and the bytes of all, from any thread."""


@dataclass(frozen=True)
class Upload:
    """A file and the key it is kept under, which names its content."""

    path: Path
    key: str
    size: int


def default_bucket(cloud: Cloud) -> str:
    """Return the name of the account's bucket for components in this region.

    :raises CloudError: if AWS does not say who calls
    """
    identity = cloud.identity()
    return f"{BUCKET_PREFIX}-{identity.region}-{identity.account}"


def bucket_of(cloud: Cloud, name: str | None) -> "Bucket":
    """Return the bucket of that name, or the account's for components.

    :raises CloudError: if AWS does not say who calls
    """
    return Bucket(cloud, name or default_bucket(cloud))


def artifact_upload(path: Path) -> Upload:
    """Return where an artifact goes: ``artifacts/<sha256>/<file name>``. Equal content is kept once.

    :raises OSError: if it cannot be read
    """
    return Upload(path, f"artifacts/{sha256_of(path)}/{path.name}", path.stat().st_size)


class Bucket:
    """One bucket."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        """Name it; nothing is called yet."""
        self._cloud = cloud
        self.name = name

    def exists(self) -> bool:
        """Tell whether it is there.

        :raises CloudError: if it belongs to somebody else, or AWS does not answer
        """
        try:
            self._cloud.call("s3", "head_bucket", Bucket=self.name)
        except NotFoundError:
            return False
        return True

    def make(self) -> None:
        """Make it, closed to the public; nothing happens if it is there.

        :raises CloudError: if it cannot be made
        """
        region = self._cloud.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._cloud.call("s3", "create_bucket", Bucket=self.name, **place)
        except AlreadyThereError:
            if not self.exists():
                raise
        blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self._cloud.call(
            "s3",
            "put_public_access_block",
            Bucket=self.name,
            PublicAccessBlockConfiguration=dict.fromkeys(blocks, True),
        )

    # -- artifacts -------------------------------------------------------------------------------------------------

    def missing(self, uploads: Iterable[Upload]) -> list[Upload]:
        """Return the files that are not there yet, each key once.

        :raises CloudError: if AWS does not answer
        """
        wanted = list({upload.key: upload for upload in uploads}.values())
        with ThreadPoolExecutor(WORKERS) as pool:
            there = list(pool.map(self._is_there, wanted))
        return [upload for upload, known in zip(wanted, there, strict=True) if not known]

    def upload(self, uploads: Sequence[Upload], progress: Progress | None = None) -> None:
        """Upload files side by side; what an earlier try has brought up is not sent again.

        :raises CloudError: if AWS refuses one; the parts that are up stay for the next try
        :raises OSError: if a file cannot be read
        """
        total = sum(upload.size for upload in uploads)
        tally = _Tally(total, progress)
        with ThreadPoolExecutor(WORKERS) as pool:
            small = [item for item in uploads if item.size <= PART_BYTES]
            large = [item for item in uploads if item.size > PART_BYTES]
            _all([pool.submit(self._put, item, tally) for item in small])
        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            for item in large:
                try:
                    self._put_in_parts(item, pool, tally)
                except NotFoundError:
                    # Somebody else was faster, or the answer that it is complete was lost: the upload is no more.
                    if not self._is_there(item):
                        raise
                self._abandon_others(item)

    def _is_there(self, upload: Upload) -> bool:
        try:
            found = self._cloud.call("s3", "head_object", Bucket=self.name, Key=upload.key)
        except NotFoundError:
            return False
        return bool(found["ContentLength"] == upload.size)

    def _put(self, upload: Upload, tally: "_Tally") -> None:
        self._cloud.call("s3", "put_object", Bucket=self.name, Key=upload.key, Body=upload.path.read_bytes())
        tally.add(upload.size)

    def _put_in_parts(self, upload: Upload, pool: ThreadPoolExecutor, tally: "_Tally") -> None:
        size = max(PART_BYTES, -(-upload.size // _MAX_PARTS))
        upload_id, known = self._begun(upload)
        place = {"Bucket": self.name, "Key": upload.key, "UploadId": upload_id}
        etags: dict[int, str] = {}

        def put(number: int) -> None:
            start = (number - 1) * size
            with upload.path.open("rb") as opened:
                opened.seek(start)
                data = opened.read(size)
            if known.get(number) == (len(data), _md5(data)):
                etags[number] = f'"{_md5(data)}"'
            else:
                answer = self._cloud.call("s3", "upload_part", **place, PartNumber=number, Body=data)
                etags[number] = answer["ETag"]
            tally.add(len(data))

        count = -(-upload.size // size)
        _all([pool.submit(put, number) for number in range(1, count + 1)])
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        self._cloud.call("s3", "complete_multipart_upload", **place, MultipartUpload={"Parts": parts})

    def _abandon_others(self, upload: Upload) -> None:
        """Give up uploads of a file that is there: each whose beginning was not answered left one, which costs."""
        answer = self._cloud.call("s3", "list_multipart_uploads", Bucket=self.name, Prefix=upload.key)
        for item in answer.get("Uploads", ()):
            place = {"Bucket": self.name, "Key": item["Key"], "UploadId": item["UploadId"]}
            with suppress(NotFoundError):
                self._cloud.call("s3", "abort_multipart_upload", **place)

    def _begun(self, upload: Upload) -> tuple[str, dict[int, tuple[int, str]]]:
        """Return an upload to go on with and its parts: number -> (bytes, MD5); a new one where none was begun."""
        answer = self._cloud.call("s3", "list_multipart_uploads", Bucket=self.name, Prefix=upload.key)
        begun = [item["UploadId"] for item in answer.get("Uploads", ()) if item["Key"] == upload.key]
        if not begun:
            made = self._cloud.call("s3", "create_multipart_upload", Bucket=self.name, Key=upload.key)
            return made["UploadId"], {}
        place = {"Bucket": self.name, "Key": upload.key, "UploadId": begun[-1]}
        parts: dict[int, tuple[int, str]] = {}
        marker: dict[str, Any] = {}
        while True:
            page = self._cloud.call("s3", "list_parts", **place, **marker)
            for part in page.get("Parts", ()):
                parts[part["PartNumber"]] = (part["Size"], part["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return begun[-1], parts
            marker = {"PartNumberMarker": page["NextPartNumberMarker"]}

    # -- documents -------------------------------------------------------------------------------------------------

    def read(self, key: str) -> tuple[dict[str, Any], str] | None:
        """Return a document and its version; None if there is none.

        :raises CloudError: if it cannot be read, or holds no JSON object
        """
        try:
            answer = self._cloud.call("s3", "get_object", Bucket=self.name, Key=key)
        except NotFoundError:
            return None
        try:
            document = json.loads(answer["Body"].read())
        except ValueError:
            document = None
        except Exception as error:  # botocore's and urllib3's: the line broke off within the answer
            raise UnreachableError(f"s3://{self.name}/{key} broke off: {type(error).__name__}") from error
        if not isinstance(document, dict):
            raise CloudError(f"s3://{self.name}/{key} is damaged: it holds no JSON object", hint="remove it")
        return document, answer["ETag"]

    def write(self, key: str, document: Mapping[str, Any]) -> None:
        """Write a document, whatever is there.

        :raises CloudError: if it cannot be written
        """
        self._cloud.call("s3", "put_object", Bucket=self.name, Key=key, Body=_bytes(document))

    def write_over(self, key: str, document: Mapping[str, Any], version: str | None) -> str:
        """Write a document over the version that was read (None: over nothing); return the new version.

        :raises vedette.cloud.errors.PreconditionError: if somebody else has written meanwhile
        :raises CloudError: if it cannot be written
        """
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        answer = self._cloud.call("s3", "put_object", Bucket=self.name, Key=key, Body=_bytes(document), **condition)
        return str(answer["ETag"])

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with ``prefix``, at most a thousand.

        :raises CloudError: if AWS does not answer
        """
        answer = self._cloud.call("s3", "list_objects_v2", Bucket=self.name, Prefix=prefix)
        return [item["Key"] for item in answer.get("Contents", ())]


class _Tally:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._lock = threading.Lock()
        self._done, self._total, self._progress = 0, total, progress

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            if self._progress is not None:
                self._progress(self._done, self._total)


def _all(futures: Sequence[Future[None]]) -> None:
    """Wait for all; with the first that fails, those that have not begun are given up."""
    try:
        for future in as_completed(futures):
            future.result()
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
