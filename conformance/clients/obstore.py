"""obstore: Rust's object_store as Python calls it."""

from importlib.metadata import version

from steps import BUCKET, Client, in_an_hour, main


class Obstore(Client):
    pages = False

    def open(self):
        from obstore.store import S3Store

        access, secret = self.t.keys()
        options = {"allow_http": True}
        if self.t.ca:
            with open(self.t.ca, "rb") as file:
                options["root_certificate"] = file.read()
        self.store = S3Store(
            BUCKET,
            endpoint=self.t.server.s3,
            access_key_id=access,
            secret_access_key=secret,
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options=options,
            retry_config={"max_retries": 0},
        )

    def version(self):
        return version("obstore")

    def put(self, key, path):
        self.store.put(key, path.read_bytes(), use_multipart=False)

    def get(self, key, path):
        path.write_bytes(bytes(self.store.get(key).bytes()))

    def range(self, key, first, last, path):
        path.write_bytes(bytes(self.store.get_range(key, start=first, end=last + 1)))

    def range_from(self, key, first, path):
        path.write_bytes(bytes(self.store.get(key, options={"range": {"offset": first}}).bytes()))

    def range_suffix(self, key, length, path):
        path.write_bytes(bytes(self.store.get(key, options={"range": {"suffix": length}}).bytes()))

    def multipart(self, key, path, part_size):
        self.store.put(key, path, use_multipart=True, chunk_size=part_size, max_concurrency=4)

    def list_all(self, prefix, page):
        return {entry["path"]: entry["size"] for entries in self.store.list(prefix) for entry in entries}

    def list_level(self, prefix, page):
        answer = self.store.list_with_delimiter(prefix)
        # The crate gives prefixes without the delimiter that ends them.
        return [entry["path"] for entry in answer["objects"]], [f"{found}/" for found in answer["common_prefixes"]]

    def copy(self, source, target):
        self.store.copy(source, target)

    def delete(self, key):
        self.store.delete(key)

    def delete_many(self, prefix, keys):
        self.store.delete(keys)

    def presign_get(self, key):
        return self._sign("GET", key)

    def presign_put(self, key):
        return self._sign("PUT", key)

    def _sign(self, method, key):
        import obstore

        return obstore.sign(self.store, method, key, in_an_hour())


if __name__ == "__main__":
    main(Obstore)
