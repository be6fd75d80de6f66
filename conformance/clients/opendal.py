"""Apache OpenDAL, through its Python binding."""

import asyncio
import os
from importlib.metadata import version

from steps import BUCKET, Client, main


class OpenDal(Client):
    holes = {"range suffix": "read takes an offset and a size, not a number of last bytes"}

    def open(self):
        import opendal

        access, secret = self.t.keys()
        if self.t.ca:
            # The binding has no setting for an authority; its TLS reads OpenSSL's variable.
            os.environ["SSL_CERT_FILE"] = self.t.ca
        self.operator = opendal.Operator(
            "s3",
            bucket=BUCKET,
            endpoint=self.t.server.s3,
            region="us-east-1",
            access_key_id=access,
            secret_access_key=secret,
            disable_config_load="true",
            disable_ec2_metadata="true",
        )

    def version(self):
        return version("opendal")

    def put(self, key, path):
        self.operator.write(key, path.read_bytes())

    def get(self, key, path):
        path.write_bytes(self.operator.read(key))

    def range(self, key, first, last, path):
        path.write_bytes(self.operator.read(key, offset=first, size=last - first + 1))

    def range_from(self, key, first, path):
        path.write_bytes(self.operator.read(key, offset=first))

    def multipart(self, key, path, part_size):
        self.operator.write(key, path.read_bytes(), chunk=part_size, concurrent=4)

    def list_all(self, prefix, page):
        return {entry.path: self.operator.stat(entry.path).content_length for entry in self._list(prefix, page, True)}

    def list_level(self, prefix, page):
        paths = [entry.path for entry in self._list(prefix, page, False)]
        return [path for path in paths if not path.endswith("/")], [path for path in paths if path.endswith("/")]

    def _list(self, prefix, page, recursive):
        # A listing shows the folder that it is of, when there is a key of that name or not.
        return [entry for entry in self.operator.list(prefix, limit=page, recursive=recursive) if entry.path != prefix]

    def copy(self, source, target):
        self.operator.copy(source, target)

    def delete(self, key):
        self.operator.delete(key)

    def delete_many(self, prefix, keys):
        self.operator.remove_all(prefix)

    def presign_get(self, key):
        return self._presigned("presign_read", key)

    def presign_put(self, key):
        return self._presigned("presign_write", key)

    def _presigned(self, name, key):
        async def ask():
            return await getattr(self.operator.to_async_operator(), name)(key, 3600)

        return asyncio.run(ask()).url


if __name__ == "__main__":
    main(OpenDal)
