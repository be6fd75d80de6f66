"""minio-py, MinIO's Python SDK."""

from urllib.parse import urlsplit

from steps import BUCKET, Client, in_an_hour, main


class MinioPy(Client):
    pages = False
    holes = {"range suffix": "get_object takes an offset and a length, not a number of last bytes"}

    def open(self):
        import urllib3
        from minio import Minio

        access, secret = self.t.keys()
        # The client's own pool repeats answers of 500 to 504 five times.
        pool = urllib3.PoolManager(retries=False, timeout=60, ca_certs=self.t.ca)
        self.s3 = Minio(
            endpoint=urlsplit(self.t.server.s3).netloc,
            access_key=access,
            secret_key=secret,
            secure=self.t.scheme == "https",
            region="us-east-1",
            http_client=pool,
        )

    def version(self):
        import minio

        return minio.__version__

    def put(self, key, path):
        self.s3.fput_object(bucket_name=BUCKET, object_name=key, file_path=str(path))

    def get(self, key, path):
        self.s3.fget_object(bucket_name=BUCKET, object_name=key, file_path=str(path))

    def range(self, key, first, last, path):
        self._read(key, path, offset=first, length=last - first + 1)

    def range_from(self, key, first, path):
        self._read(key, path, offset=first)

    def _read(self, key, path, **extent):
        answer = self.s3.get_object(bucket_name=BUCKET, object_name=key, **extent)
        try:
            path.write_bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def multipart(self, key, path, part_size):
        with open(path, "rb") as file:
            self.s3.put_object(bucket_name=BUCKET, object_name=key, data=file, length=-1, part_size=part_size)

    def list_all(self, prefix, page):
        return {entry.object_name: entry.size for entry in self.s3.list_objects(bucket_name=BUCKET, prefix=prefix, recursive=True)}

    def list_level(self, prefix, page):
        entries = list(self.s3.list_objects(bucket_name=BUCKET, prefix=prefix))
        keys = [entry.object_name for entry in entries if not entry.is_dir]
        return keys, [entry.object_name for entry in entries if entry.is_dir]

    def copy(self, source, target):
        from minio.commonconfig import CopySource

        self.s3.copy_object(bucket_name=BUCKET, object_name=target, source=CopySource(bucket_name=BUCKET, object_name=source))

    def delete(self, key):
        self.s3.remove_object(bucket_name=BUCKET, object_name=key)

    def delete_many(self, prefix, keys):
        from minio.deleteobjects import DeleteObject

        errors = list(self.s3.remove_objects(bucket_name=BUCKET, delete_object_list=[DeleteObject(key) for key in keys]))
        self.t.equal("errors of remove_objects", errors, [])

    def presign_get(self, key):
        return self.s3.presigned_get_object(bucket_name=BUCKET, object_name=key, expires=in_an_hour())

    def presign_put(self, key):
        return self.s3.presigned_put_object(bucket_name=BUCKET, object_name=key, expires=in_an_hour())


if __name__ == "__main__":
    main(MinioPy)
