"""The AWS SDK for JavaScript v3: client-s3, lib-storage and s3-request-presigner, driven by `js/aws.mjs`."""

from node import NodeDriver
from steps import main


class AwsJs(NodeDriver):
    script = "aws.mjs"


if __name__ == "__main__":
    main(AwsJs)
