"""Does with s3fs what `clients/s3fs.py` asks for; see `steps.Driver` for the lines they exchange."""

import json
import sys
from pathlib import Path


class Files:
    def __init__(self, settings):
        import s3fs

        # s3fs has a loop of its own around botocore's.
        s3fs.S3FileSystem.retries = 1
        self.bucket = settings["bucket"]
        self.fs = s3fs.S3FileSystem(
            key=settings["access"],
            secret=settings["secret"],
            endpoint_url=settings["endpoint"],
            client_kwargs={"region_name": "us-east-1", "verify": settings["ca"] or True},
            config_kwargs={"retries": {"total_max_attempts": 1, "mode": "standard"}, "signature_version": "s3v4"},
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def at(self, key):
        return f"{self.bucket}/{key}"

    def key(self, path):
        return path.removeprefix(f"{self.bucket}/")

    def put(self, key, path):
        self.fs.pipe_file(self.at(key), Path(path).read_bytes())

    def get(self, key, path):
        self.fs.get_file(self.at(key), path)

    def range(self, key, first, last, path):
        Path(path).write_bytes(self.fs.cat_file(self.at(key), start=first, end=last + 1))

    def range_from(self, key, first, path):
        Path(path).write_bytes(self.fs.cat_file(self.at(key), start=first))

    def range_suffix(self, key, length, path):
        Path(path).write_bytes(self.fs.cat_file(self.at(key), start=-length))

    def multipart(self, key, path, part_size):
        content = Path(path).read_bytes()
        with self.fs.open(self.at(key), "wb", block_size=part_size) as file:
            for start in range(0, len(content), part_size):
                file.write(content[start : start + part_size])

    def list_all(self, prefix, page):
        found = self.fs.find(self.at(prefix), detail=True)
        return [[self.key(path), entry["size"]] for path, entry in found.items() if entry["type"] == "file"]

    def list_level(self, prefix, page):
        entries = self.fs.ls(self.at(prefix), detail=True)
        names = {kind: [self.key(entry["name"]) for entry in entries if entry["type"] == kind] for kind in ("file", "directory")}
        return [names["file"], [f"{name}/" for name in names["directory"]]]

    def copy(self, source, target):
        self.fs.cp_file(self.at(source), self.at(target))

    def delete(self, key):
        self.fs.rm_file(self.at(key))

    def delete_many(self, prefix, keys):
        self.fs.rm([self.at(key) for key in keys])

    def presign_get(self, key):
        return self.fs.sign(self.at(key), expiration=600)

    def presign_put(self, key):
        return self.fs.url(self.at(key), expires=600, client_method="put_object")


def main():
    import s3fs

    files = Files(json.loads(sys.argv[1]))
    print(json.dumps({"ok": s3fs.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(files, request.pop("do"))(**request)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
