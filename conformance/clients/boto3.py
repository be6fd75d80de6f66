"""boto3, as everybody's first script uses it: the transfer manager, paginators, presigned URLs."""

from steps import BUCKET, Client, main


class Boto3(Client):
    notes = ["boto3 is also the other side of every step: its own bytes are judged by the steps of the others"]

    def open(self):
        from boto3.s3.transfer import TransferConfig

        self.s3 = self.t.boto3()
        self.transfer = lambda part_size: TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=part_size)

    def version(self):
        import boto3

        return boto3.__version__

    def put(self, key, path):
        self.s3.upload_file(str(path), BUCKET, key)

    def get(self, key, path):
        self.s3.download_file(BUCKET, key, str(path))

    def range(self, key, first, last, path):
        self._range(key, f"bytes={first}-{last}", path)

    def range_from(self, key, first, path):
        self._range(key, f"bytes={first}-", path)

    def range_suffix(self, key, length, path):
        self._range(key, f"bytes=-{length}", path)

    def _range(self, key, value, path):
        path.write_bytes(self.s3.get_object(Bucket=BUCKET, Key=key, Range=value)["Body"].read())

    def multipart(self, key, path, part_size):
        self.s3.upload_file(str(path), BUCKET, key, Config=self.transfer(part_size))

    def _pages(self, prefix, page, **more):
        return self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": page}, **more)

    def list_all(self, prefix, page):
        return {entry["Key"]: entry["Size"] for answer in self._pages(prefix, page) for entry in answer["Contents"]}

    def list_level(self, prefix, page):
        answers = list(self._pages(prefix, page, Delimiter="/"))
        keys = [entry["Key"] for answer in answers for entry in answer.get("Contents", [])]
        return keys, [entry["Prefix"] for answer in answers for entry in answer.get("CommonPrefixes", [])]

    def copy(self, source, target):
        self.s3.copy({"Bucket": BUCKET, "Key": source}, BUCKET, target, Config=self.transfer(5 << 20))

    def delete(self, key):
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def delete_many(self, prefix, keys):
        answer = self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
        self.t.equal("errors of delete_objects", answer.get("Errors", []), [])

    def presign_get(self, key):
        return self.s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=600)

    def presign_put(self, key):
        return self.s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=600)


if __name__ == "__main__":
    main(Boto3)
