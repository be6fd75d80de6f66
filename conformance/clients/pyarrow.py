"""pyarrow's S3FileSystem: AWS's C++ SDK under Arrow's idea of a filesystem."""

from urllib.parse import urlsplit

from harness import MIB
from steps import BUCKET, Client, Refused, main


class PyArrow(Client):
    pages = False
    # Its parts are of 10 MiB, whatever it is given to write at once.
    big = 32 * MIB + 777
    notes = ["delete of a file leaves an empty object for the folder that it was in: Arrow's folders do not vanish with their last file"]
    refusals = [Refused("HeadObject", 404, None, "Arrow asks whether an object stands for the folder that it empties")]
    holes = {
        "range suffix": "a file is read from an offset; its size is asked for first",
        "presign": "S3FileSystem makes no URLs",
    }

    def open(self):
        from pyarrow import fs

        access, secret = self.t.keys()
        settings = {
            "access_key": access,
            "secret_key": secret,
            "region": "us-east-1",
            "scheme": self.t.scheme,
            "endpoint_override": urlsplit(self.t.server.s3).netloc,
            "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=1),
            "tls_ca_file_path": self.t.ca,
        }
        # Delayed open sends what fits into one buffer as one PUT; without it every file is a multipart upload.
        self.s3 = fs.S3FileSystem(allow_delayed_open=True, **settings)
        self.parts = fs.S3FileSystem(**settings)

    def version(self):
        import pyarrow

        return pyarrow.__version__

    def put(self, key, path):
        with self.s3.open_output_stream(f"{BUCKET}/{key}") as stream:
            stream.write(path.read_bytes())

    def get(self, key, path):
        with self.s3.open_input_file(f"{BUCKET}/{key}") as file:
            path.write_bytes(file.read())

    def range(self, key, first, last, path):
        with self.s3.open_input_file(f"{BUCKET}/{key}") as file:
            path.write_bytes(file.read_at(last - first + 1, first))

    def range_from(self, key, first, path):
        with self.s3.open_input_file(f"{BUCKET}/{key}") as file:
            file.seek(first)
            path.write_bytes(file.read())

    def multipart(self, key, path, part_size):
        content = path.read_bytes()
        with self.parts.open_output_stream(f"{BUCKET}/{key}") as stream:
            for start in range(0, len(content), part_size):
                stream.write(content[start : start + part_size])

    def list_all(self, prefix, page):
        return {entry.path.removeprefix(f"{BUCKET}/"): entry.size for entry in self._list(prefix, True) if entry.is_file}

    def list_level(self, prefix, page):
        entries = [(entry.path.removeprefix(f"{BUCKET}/"), entry.is_file) for entry in self._list(prefix, False)]
        return [path for path, is_file in entries if is_file], [f"{path}/" for path, is_file in entries if not is_file]

    def _list(self, prefix, recursive):
        from pyarrow import fs

        return self.s3.get_file_info(fs.FileSelector(f"{BUCKET}/{prefix}".rstrip("/"), recursive=recursive))

    def copy(self, source, target):
        self.s3.copy_file(f"{BUCKET}/{source}", f"{BUCKET}/{target}")

    def delete(self, key):
        self.s3.delete_file(f"{BUCKET}/{key}")

    def delete_many(self, prefix, keys):
        self.s3.delete_dir_contents(f"{BUCKET}/{prefix}".rstrip("/"))


if __name__ == "__main__":
    main(PyArrow)
