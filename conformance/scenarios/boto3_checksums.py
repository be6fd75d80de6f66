"""boto3 with AWS's C runtime: its own SigV4 signer, and every checksum of a whole object, sent, stored, read back and refused."""

import base64
import zlib

import harness

harness.use_crt()

BUCKET = "uploads"


def run(t):
    if not harness.crt_available():
        raise harness.NotRun("awscrt is not installed, the only source of CRC32C and CRC64NVME in Python")
    from awscrt import checksums

    t.start()
    s3 = t.boto3()
    functions = {"CRC32": (zlib.crc32, 4), "CRC32C": (checksums.crc32c, 4), "CRC64NVME": (checksums.crc64nvme, 8)}
    for algorithm, (function, width) in functions.items():
        field = f"Checksum{algorithm}"
        for size in [0, 1, 4096, 300_000, 9 * harness.MIB + 1]:
            content = harness.body(algorithm, size)
            expected = base64.b64encode(function(content).to_bytes(width, "big")).decode()
            key = f"checksum/{algorithm}/{size}"
            put = s3.put_object(Bucket=BUCKET, Key=key, Body=content, ChecksumAlgorithm=algorithm)
            t.equal(f"{algorithm} of {size} bytes: put answers", put.get(field), expected)
            # The client compares the checksum with the bytes it reads, and raises if they differ.
            got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
            t.equal(f"{algorithm} of {size} bytes: get answers", (got.get(field), got.get("ChecksumType")), (expected, "FULL_OBJECT"))
            t.equal(f"{algorithm} of {size} bytes: content", got["Body"].read(), content)
        ranged = s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=5-9", ChecksumMode="ENABLED")
        t.equal(f"{algorithm}: a range's bytes and no checksum of the whole", (ranged["Body"].read(), ranged.get(field)), (content[5:10], None))
        wrong = {field: base64.b64encode(function(b"other").to_bytes(width, "big")).decode()}
        t.refused(f"a wrong {algorithm}", 400, "BadDigest", s3.put_object, Bucket=BUCKET, Key=f"wrong/{algorithm}", Body=b"content", **wrong)
        t.refused(f"the key after a wrong {algorithm}", 404, "NoSuchKey", s3.get_object, Bucket=BUCKET, Key=f"wrong/{algorithm}")
    odd = "a b+c~d(1)é//x&y=z/../한글"
    s3.put_object(Bucket=BUCKET, Key=odd, Body=b"signed by other code")
    t.equal("a key that must be escaped", s3.get_object(Bucket=BUCKET, Key=odd)["Body"].read(), b"signed by other code")


if __name__ == "__main__":
    harness.main(run)
