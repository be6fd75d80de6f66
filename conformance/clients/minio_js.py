"""minio-js, MinIO's JavaScript SDK, driven by `js/minio.mjs`."""

from node import NodeDriver
from steps import main


class MinioJs(NodeDriver):
    script = "minio.mjs"
    pages = False
    holes = {"range suffix": "getPartialObject takes an offset and a length, not a number of last bytes"}


if __name__ == "__main__":
    main(MinioJs)
