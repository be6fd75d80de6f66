"""Who may do what: keys made by `wharf key`, policies of keys and buckets, ACLs, public access blocks, temporary credentials by AssumeRole, and
what is left of all of them once a key is gone; by boto3, urllib and the aws CLI."""

import datetime
import hashlib
import json
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from harness import body, main

ACCOUNT = "000000000000"
BUCKET = "of-alice"
CONTENT = body("who may do what", 70_001)
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
NO_BLOCK = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], False)


def command(t, *words):
    """Runs `wharf` to its end, against the gateway over this data dir."""
    words = [t.wharf, *map(str, words), "--data-dir", str(t.server.data_dir)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=t.work)


def create(t, *words):
    """A key made by `wharf key create`: access key and secret key."""
    came = command(t, "key", "create", "--json", *words)
    t.equal(f"exit status of wharf key create {' '.join(map(str, words))}", (came.returncode, came.stderr), (0, ""))
    made = json.loads(came.stdout)
    return made["accessKey"], made["secretKey"]


def canonical_id(keys):
    return hashlib.sha256(keys[0].encode()).hexdigest()


def statement(effect, principal, action, resource, **condition):
    """A statement about what is in BUCKET, about the bucket itself where `resource` is empty."""
    resource = f"arn:aws:s3:::{BUCKET}/{resource}" if resource else f"arn:aws:s3:::{BUCKET}"
    made = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return {**made, "Condition": condition} if condition else made


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def user(keys):
    return {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{keys[0]}"}


def send(t, url, method="GET", content=None):
    """One request by urllib, without a signature of its own. Returns the status, and the body or S3's error code."""
    context = ssl.create_default_context(cafile=t.ca) if t.ca else None
    # Left to itself urllib sends the content type of a form, which signature version 2 covers.
    asked = urllib.request.Request(url, data=content, method=method, headers={"Content-Type": ""} if content else {})
    try:
        with urllib.request.urlopen(asked, context=context, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        text = refused.read().decode()
        return refused.code, text.partition("<Code>")[2].partition("</Code>")[0]


def anonymous(t, key="", **how):
    return send(t, f"{t.server.s3}/{BUCKET}/{urllib.parse.quote(key)}", **how)


def allowed(t, what, call, **arguments):
    """Calls boto3 and checks that S3 does not refuse; returns the answer."""
    from botocore.exceptions import ClientError

    try:
        answer = call(**arguments)
        came = "no error"
    except ClientError as error:
        answer, came = None, str(error)
    t.equal(what, came, "no error")
    return answer


def made_open(t, keys):
    """ACL and ownership given to a bucket as it is made."""
    s3 = t.boto3(keys=keys)
    for acl, status in [("public-read", 200), ("authenticated-read", 403)]:
        allowed(t, f"a bucket made {acl}", s3.create_bucket, Bucket="of-alice-open", ACL=acl, ObjectOwnership="ObjectWriter")
        t.equal(f"nobody lists a bucket made {acl}", send(t, f"{t.server.s3}/of-alice-open")[0], status)
        allowed(t, "its end", s3.delete_bucket, Bucket="of-alice-open")


def own_buckets(t, alice, bob):
    s3 = t.boto3(keys=alice)
    others = t.boto3(keys=bob)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="a", Body=CONTENT)
    t.equal("the maker reads", s3.get_object(Bucket=BUCKET, Key="a")["Body"].read(), CONTENT)
    seen = lambda client: [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    t.equal("buckets that their maker sees", seen(s3), [BUCKET])
    t.equal("buckets that another sees", seen(others), [])
    t.equal("buckets that the root key sees", seen(t.boto3()), [BUCKET, "uploads"])
    t.equal("owner of one's buckets", s3.list_buckets()["Owner"]["ID"], canonical_id(alice))
    owner = s3.list_objects_v2(Bucket=BUCKET, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    t.equal("owner in a listing", owner, canonical_id(alice))
    t.refused("another gets", 403, "AccessDenied", others.get_object, Bucket=BUCKET, Key="a")
    t.refused("another gets what is not there", 403, "AccessDenied", others.get_object, Bucket=BUCKET, Key="none")
    t.refused("another puts", 403, "AccessDenied", others.put_object, Bucket=BUCKET, Key="b", Body=b"b")
    t.refused("another lists", 403, "AccessDenied", others.list_objects_v2, Bucket=BUCKET)
    t.refused("another opens it", 403, "AccessDenied", others.put_bucket_acl, Bucket=BUCKET, ACL="public-read-write")
    t.refused("another's bucket made again", 409, "BucketAlreadyExists", others.create_bucket, Bucket=BUCKET)
    t.refused("a bucket of the root key", 403, "AccessDenied", s3.list_objects_v2, Bucket="uploads")
    t.refused("another's object copied", 403, "AccessDenied", others.copy_object, Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/a")
    t.equal("nobody gets", anonymous(t, "a"), (403, "AccessDenied"))
    t.equal("nobody puts", anonymous(t, "b", method="PUT", content=b"b"), (403, "AccessDenied"))
    t.equal("nobody lists buckets", send(t, t.server.s3 + "/"), (403, "AccessDenied"))


def key_policies(t):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/a"}]}
    file = t.work / "policy.json"
    file.write_text(json.dumps(policy))
    keys = create(t, "--policy", file)
    s3 = t.boto3(keys=keys)
    t.equal("a key with a policy gets", allowed(t, "its GET", s3.get_object, Bucket=BUCKET, Key="a")["Body"].read(), CONTENT)
    t.refused("a key with a policy puts", 403, "AccessDenied", s3.put_object, Bucket=BUCKET, Key="a", Body=b"")
    t.equal("wharf key policy", json.loads(command(t, "key", "policy", keys[0]).stdout), policy)
    t.equal("exit status of wharf key policy", command(t, "key", "policy", keys[0], "writeonly").returncode, 0)
    t.refused("a writeonly key gets", 403, "AccessDenied", s3.get_object, Bucket=BUCKET, Key="a")
    allowed(t, "a writeonly key puts", s3.put_object, Bucket=BUCKET, Key="w", Body=b"w")
    t.equal("exit status of wharf key disable", command(t, "key", "disable", keys[0]).returncode, 0)
    t.refused("a disabled key puts", 403, "InvalidAccessKeyId", s3.put_object, Bucket=BUCKET, Key="w", Body=b"w")
    t.equal("exit status of wharf key enable", command(t, "key", "enable", keys[0]).returncode, 0)
    allowed(t, "an enabled key puts", s3.put_object, Bucket=BUCKET, Key="w", Body=b"w")
    command(t, "key", "delete", keys[0])
    file.write_text(json.dumps({**policy, "Statement": [{"Effect": "Perhaps", "Action": "s3:GetObject", "Resource": "*"}]}))
    t.equal("exit status of wharf key create with a policy that is none", command(t, "key", "create", "--policy", file).returncode, 2)
    t.boto3().delete_object(Bucket=BUCKET, Key="w")


def bucket_policy(t, alice, bob):
    s3 = t.boto3(keys=alice)
    others = t.boto3(keys=bob)
    t.refused("a bucket without policy", 404, "NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=BUCKET)
    text = document(
        statement("Allow", user(bob), ["s3:GetObject", "s3:PutObject"], "shared/*"),
        statement("Allow", {"CanonicalUser": canonical_id(bob)}, "s3:ListBucket", "", StringLike={"s3:prefix": "shared/*"}),
        statement("Allow", "*", "s3:GetObject", "public/*", Bool={"aws:SecureTransport": str(t.scheme == "https").lower()}),
        statement("Allow", "*", "s3:GetObject", "never/*", NotIpAddress={"aws:SourceIp": "127.0.0.0/8"}),
        statement("Deny", "*", "s3:*", "shared/shut/*"),
    )
    s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
    t.equal("the policy", s3.get_bucket_policy(Bucket=BUCKET)["Policy"], text)
    t.refused("another reads the policy", 403, "AccessDenied", others.get_bucket_policy, Bucket=BUCKET)
    for key in ["public/a", "never/a"]:
        s3.copy_object(Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/a")
    allowed(t, "another puts where it may", others.put_object, Bucket=BUCKET, Key="shared/b", Body=CONTENT)
    t.equal("another gets where it may", others.get_object(Bucket=BUCKET, Key="shared/b")["Body"].read(), CONTENT)
    t.refused("another deletes there", 403, "AccessDenied", others.delete_object, Bucket=BUCKET, Key="shared/b")
    t.refused("another puts elsewhere", 403, "AccessDenied", others.put_object, Bucket=BUCKET, Key="else/b", Body=b"b")
    listed = allowed(t, "another lists where it may", others.list_objects_v2, Bucket=BUCKET, Prefix="shared/")
    t.equal("what another lists", [entry["Key"] for entry in listed["Contents"]], ["shared/b"])
    t.refused("another lists all", 403, "AccessDenied", others.list_objects_v2, Bucket=BUCKET)
    t.refused("a denial for the owner", 403, "AccessDenied", s3.put_object, Bucket=BUCKET, Key="shared/shut/a", Body=b"a")
    t.refused("a denial for the root key", 403, "AccessDenied", t.boto3().put_object, Bucket=BUCKET, Key="shared/shut/a", Body=b"a")
    t.equal("nobody gets what is public", anonymous(t, "public/a"), (200, CONTENT))
    t.equal("nobody gets what a condition closes", anonymous(t, "never/a"), (403, "AccessDenied"))
    t.equal("nobody gets the rest", anonymous(t, "a"), (403, "AccessDenied"))
    t.equal("whether the policy is public", s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], True)
    for what, wrong in [
        ("of another bucket", {**statement("Allow", "*", "s3:*", "*"), "Resource": "arn:aws:s3:::uploads/*"}),
        ("without principal", {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}),
        ("with an unknown action", statement("Allow", "*", "s3:Nothing", "*")),
        ("with an unknown operator", statement("Allow", "*", "s3:*", "*", Sometimes={"aws:SourceIp": "10.0.0.1"})),
    ]:
        t.refused(f"a policy {what}", 400, "MalformedPolicy", s3.put_bucket_policy, Bucket=BUCKET, Policy=document(wrong))
    t.equal("the policy after refused ones", s3.get_bucket_policy(Bucket=BUCKET)["Policy"], text)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=document(statement("Allow", "*", "s3:GetObject", "*", IpAddress={"aws:SourceIp": "127.0.0.1/32"})))
    t.equal("whether a policy for one address is public", s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], False)
    t.equal("nobody gets from that address", anonymous(t, "a"), (200, CONTENT))
    s3.put_bucket_policy(Bucket=BUCKET, Policy=document(*(statement("Deny", "*", "s3:*", resource) for resource in ["", "*"])))
    t.refused("the owner behind a denial of everything", 403, "AccessDenied", s3.delete_bucket_policy, Bucket=BUCKET)
    allowed(t, "the root key takes such a policy away", t.boto3().delete_bucket_policy, Bucket=BUCKET)
    t.equal("nobody gets without policy", anonymous(t, "public/a"), (403, "AccessDenied"))


def grants(acl):
    return [(grant["Grantee"].get("URI") or grant["Grantee"]["ID"], grant["Permission"]) for grant in acl["Grants"]]


def acls(t, alice, bob):
    s3 = t.boto3(keys=alice)
    others = t.boto3(keys=bob)
    owner = (canonical_id(alice), "FULL_CONTROL")
    first = s3.get_bucket_acl(Bucket=BUCKET)
    t.equal("owner of the bucket's ACL", first["Owner"]["ID"], canonical_id(alice))
    for acl, rest in [
        ("public-read", [(ALL_USERS, "READ")]),
        ("public-read-write", [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")]),
        ("authenticated-read", [(SIGNED_USERS, "READ")]),
        ("private", []),
    ]:
        s3.put_bucket_acl(Bucket=BUCKET, ACL=acl)
        came = s3.get_bucket_acl(Bucket=BUCKET)
        t.equal(f"the bucket's ACL {acl}", grants(came), [owner, *rest])
        # What was shown is put again, as a document.
        s3.put_bucket_acl(Bucket=BUCKET, AccessControlPolicy={"Owner": came["Owner"], "Grants": came["Grants"]})
        lists = [(ALL_USERS, "READ") in rest, bool(rest)]
        t.equal("nobody and another list", [anonymous(t)[0], status_of(others.list_objects_v2, Bucket=BUCKET)], [200 if may else 403 for may in lists])
        s3.put_object_acl(Bucket=BUCKET, Key="a", ACL=acl)
        t.equal(f"the object's ACL {acl}", grants(s3.get_object_acl(Bucket=BUCKET, Key="a")), [owner, *rest])
        t.equal("nobody and another get", [anonymous(t, "a")[0], status_of(others.get_object, Bucket=BUCKET, Key="a")], [200 if may else 403 for may in lists])
    s3.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
    t.equal("nobody puts", anonymous(t, "by-nobody", method="PUT", content=b"n")[0], 200)
    t.equal("nobody deletes", anonymous(t, "by-nobody", method="DELETE")[0], 204)
    others.put_object(Bucket=BUCKET, Key="by-bob", Body=b"b", ACL="bucket-owner-full-control")
    t.equal("an object that another put", grants(t.boto3().get_object_acl(Bucket=BUCKET, Key="by-bob")), [(canonical_id(bob), "FULL_CONTROL"), owner])
    others.delete_object(Bucket=BUCKET, Key="by-bob")
    s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
    t.refused("a grant to one user", 501, "NotImplemented", s3.put_object_acl, Bucket=BUCKET, Key="a", GrantRead=f'id="{canonical_id(bob)}"')
    t.refused("an ACL that is none", 400, "InvalidArgument", s3.put_bucket_acl, Bucket=BUCKET, ACL="public")


def status_of(call, **arguments):
    from botocore.exceptions import ClientError

    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


def blocks(t, alice, bob):
    s3 = t.boto3(keys=alice)
    public = document(statement("Allow", "*", "s3:GetObject", "*"))
    put = lambda **block: s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={**NO_BLOCK, **block})
    t.refused("a bucket without block", 404, "NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=BUCKET)
    s3.put_object_acl(Bucket=BUCKET, Key="a", ACL="public-read")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=document(statement("Allow", "*", "s3:GetObject", "public/*")))
    t.equal("public by ACL and by policy", [anonymous(t, key)[0] for key in ["a", "public/a"]], [200, 200])
    put(IgnorePublicAcls=True)
    t.equal("public ACLs ignored", [anonymous(t, key)[0] for key in ["a", "public/a"]], [403, 200])
    put(RestrictPublicBuckets=True)
    t.equal("public policies restricted", [anonymous(t, key)[0] for key in ["a", "public/a"]], [200, 403])
    allowed(t, "a key of this account under a restricted policy", t.boto3(keys=bob).get_object, Bucket=BUCKET, Key="public/a")
    put(BlockPublicPolicy=True, BlockPublicAcls=True)
    t.refused("a public policy blocked", 403, "AccessDenied", s3.put_bucket_policy, Bucket=BUCKET, Policy=public)
    t.refused("a public ACL blocked", 403, "AccessDenied", s3.put_object_acl, Bucket=BUCKET, Key="a", ACL="public-read")
    t.refused("a public object blocked", 403, "AccessDenied", s3.put_object, Bucket=BUCKET, Key="b", Body=b"b", ACL="public-read")
    t.equal("the block", s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"], {**NO_BLOCK, "BlockPublicPolicy": True, "BlockPublicAcls": True})
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.delete_bucket_policy(Bucket=BUCKET)

    t.refused("a bucket without ownership", 404, "OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=BUCKET)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=controls)
    t.equal("ownership", s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"], controls)
    t.equal("ACLs under BucketOwnerEnforced", anonymous(t, "a"), (403, "AccessDenied"))
    refused = (400, "AccessControlListNotSupported")
    t.refused("a public object under it", *refused, s3.put_object, Bucket=BUCKET, Key="b", Body=b"b", ACL="public-read")
    t.refused("a public bucket under it", *refused, s3.put_bucket_acl, Bucket=BUCKET, ACL="public-read")
    allowed(t, "an ACL that changes nothing", s3.put_object, Bucket=BUCKET, Key="b", Body=b"b", ACL="bucket-owner-full-control")
    s3.delete_bucket_ownership_controls(Bucket=BUCKET)
    s3.put_object_acl(Bucket=BUCKET, Key="a", ACL="private")


def assumed(t, keys, **arguments):
    arguments = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "RoleSessionName": "page", **arguments}
    made = t.boto3(keys=keys, service="sts").assume_role(**arguments)
    credentials = made["Credentials"]
    return made, (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def sessions(t, alice, bob):
    made, session = assumed(t, alice, DurationSeconds=900)
    lasts = (made["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    t.true("temporary credentials last 15 minutes", 840 < lasts <= 901, lasts)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{alice[0]}/page"
    t.equal("ARN of the session", made["AssumedRoleUser"]["Arn"], arn)
    t.equal("caller identity of the session", t.boto3(keys=session, service="sts").get_caller_identity()["Arn"], arn)
    sts = t.boto3(keys=alice, service="sts")
    t.equal("caller identity of the key", sts.get_caller_identity()["Arn"], user(alice)["AWS"])
    s3 = t.boto3(keys=session)
    t.equal("the session gets", s3.get_object(Bucket=BUCKET, Key="a")["Body"].read(), CONTENT)
    s3.put_object(Bucket=BUCKET, Key="session", Body=b"s")
    t.equal("the session's parent owns what it put", grants(s3.get_object_acl(Bucket=BUCKET, Key="session")), [(canonical_id(alice), "FULL_CONTROL")])
    t.refused("the session in a bucket of others", 403, "AccessDenied", s3.list_objects_v2, Bucket="uploads")
    t.refused("credentials without their token", 403, "InvalidAccessKeyId", t.boto3(keys=session[:2]).list_objects_v2, Bucket=BUCKET)
    t.refused("credentials with another's token", 400, "InvalidToken", t.boto3(keys=(*assumed(t, bob)[1][:2], session[2])).list_buckets)
    t.refused("a session's session", 403, "AccessDenied", t.boto3(keys=session, service="sts").assume_role, RoleArn=arn, RoleSessionName="again")
    role = {"RoleArn": arn, "RoleSessionName": "page"}
    t.refused("a life of more than seven days", 400, "ValidationError", sts.assume_role, **role, DurationSeconds=7 * 86_400 + 1)
    t.refused("a policy that is none", 400, "MalformedPolicyDocument", sts.assume_role, **role, Policy="{}")

    reads = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}}
    narrowed = t.boto3(keys=assumed(t, alice, Policy=json.dumps(reads))[1])
    allowed(t, "a narrowed session gets", narrowed.get_object, Bucket=BUCKET, Key="a")
    t.refused("a narrowed session puts", 403, "AccessDenied", narrowed.put_object, Bucket=BUCKET, Key="a", Body=b"")
    t.refused("a narrowed session lists", 403, "AccessDenied", narrowed.list_objects_v2, Bucket=BUCKET)
    wider = t.boto3(keys=assumed(t, bob, Policy=json.dumps(reads))[1])
    t.refused("a session is no wider than its parent", 403, "AccessDenied", wider.get_object, Bucket=BUCKET, Key="a")
    t.boto3(keys=alice).put_bucket_policy(Bucket=BUCKET, Policy=document(statement("Allow", user(bob), "s3:GetObject", "*")))
    allowed(t, "a policy that names a key covers its sessions", wider.get_object, Bucket=BUCKET, Key="a")
    t.boto3(keys=alice).delete_bucket_policy(Bucket=BUCKET)
    return session


def presigned(t, session):
    """URLs signed with temporary credentials. Returns one that works now."""
    for version in ["s3v4", "s3"]:
        s3 = t.boto3(keys=session, signature_version=version)
        sign = lambda operation, **more: s3.generate_presigned_url(operation, Params={"Bucket": BUCKET, **more}, ExpiresIn=600)
        url = sign("get_object", Key="a")
        t.true("the URL carries the session token", "security-token=" in url.lower(), url)
        t.equal(f"GET by a URL of a session, {version}", send(t, url), (200, CONTENT))
        t.equal(f"PUT by a URL of a session, {version}", send(t, sign("put_object", Key="by url"), "PUT", version.encode())[0], 200)
        t.equal(f"what the PUT left, {version}", send(t, sign("get_object", Key="by url")), (200, version.encode()))
        where, _, query = url.partition("?")
        pairs = [pair for pair in query.split("&") if not pair.lower().partition("=")[0].endswith("security-token")]
        status, code = send(t, where + "?" + "&".join(pairs))
        t.true(f"the URL without its token is refused, {version}", (status, code) == (403, "InvalidAccessKeyId"), (status, code))
    return t.boto3(keys=session).generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=600)


def command_line(t):
    about = ["--bucket", BUCKET]
    root = {"ID": canonical_id(t.keys())}
    text = document(statement("Allow", "*", "s3:GetObject", "public/*"))
    t.aws_ok("s3api", "put-bucket-policy", *about, "--policy", text)
    t.equal("policy by the aws CLI", t.aws_ok("s3api", "get-bucket-policy", *about).json, {"Policy": text})
    t.equal("its status", t.aws_ok("s3api", "get-bucket-policy-status", *about).json, {"PolicyStatus": {"IsPublic": True}})
    t.aws_ok("s3api", "delete-bucket-policy", *about)
    t.aws_refused("NoSuchBucketPolicy", "s3api", "get-bucket-policy", *about)
    t.aws_refused("NoSuchBucketPolicy", "s3api", "get-bucket-policy-status", *about)
    about = ["--bucket", "uploads"]
    t.aws_ok("s3api", "put-bucket-acl", *about, "--acl", "public-read")
    acl = t.aws_ok("s3api", "get-bucket-acl", *about).json
    t.equal("ACL by the aws CLI", (acl["Owner"], grants(acl)), (root, [(root["ID"], "FULL_CONTROL"), (ALL_USERS, "READ")]))
    t.aws_ok("s3api", "put-bucket-acl", *about, "--acl", "private")
    t.aws_refused("NotImplemented", "s3api", "put-bucket-acl", *about, "--grant-read", f"id={root['ID']}")
    block = {**NO_BLOCK, "BlockPublicAcls": True, "BlockPublicPolicy": True}
    t.aws_ok("s3api", "put-public-access-block", *about, "--public-access-block-configuration", json.dumps(block))
    t.equal("block by the aws CLI", t.aws_ok("s3api", "get-public-access-block", *about).json, {"PublicAccessBlockConfiguration": block})
    t.aws_refused("AccessDenied", "s3api", "put-bucket-acl", *about, "--acl", "public-read")
    t.aws_refused("AccessDenied", "s3api", "put-bucket-policy", *about, "--policy", text.replace(BUCKET, "uploads"))
    t.aws_ok("s3api", "delete-public-access-block", *about)
    t.equal("caller of the aws CLI", t.aws_ok("sts", "get-caller-identity").json["Account"], ACCOUNT)
    made = t.aws_ok("sts", "assume-role", "--role-arn", f"arn:aws:iam::{ACCOUNT}:role/any", "--role-session-name", "cli").json["Credentials"]
    session = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    allowed(t, "the aws CLI's session lists", t.boto3(keys=session).list_objects_v2, Bucket="uploads")


def after_deletion(t, alice, session, url):
    listed = json.loads(command(t, "key", "list", "--json").stdout)
    t.true("wharf key list names the key and no secret", alice[0] in json.dumps(listed) and alice[1] not in json.dumps(listed), listed)
    t.equal("the URL before the key is deleted", send(t, url), (200, CONTENT))
    t.equal("exit status of wharf key delete", command(t, "key", "delete", alice[0]).returncode, 0)
    t.refused("a deleted key", 403, "InvalidAccessKeyId", t.boto3(keys=alice).list_buckets)
    t.refused("a session of a deleted key", 400, "InvalidToken", t.boto3(keys=session).list_buckets)
    t.equal("a URL of a session of a deleted key", send(t, url), (400, "InvalidToken"))
    t.refused("AssumeRole by a deleted key", 403, "InvalidClientTokenId", lambda **role: assumed(t, alice, **role)[0])
    again = create(t, alice[0])
    t.refused("a session of the earlier key of this name", 400, "InvalidToken", t.boto3(keys=session).list_buckets)
    t.refused("the earlier secret", 403, "SignatureDoesNotMatch", t.boto3(keys=alice).list_buckets)
    t.refused("the new key has no policy", 403, "AccessDenied", t.boto3(keys=again).list_objects_v2, Bucket=BUCKET)


def after_restart(t, bob):
    _, session = assumed(t, bob)
    t.stop()
    t.start()
    allowed(t, "a key after a restart", t.boto3(keys=bob).list_buckets)
    allowed(t, "a session after a restart", t.boto3(keys=session).list_buckets)


def run(t):
    t.start()
    alice, bob = create(t, "--policy", "owner"), create(t, "bob", "--policy", "owner", "--name", "Bob")
    made_open(t, alice)
    own_buckets(t, alice, bob)
    key_policies(t)
    bucket_policy(t, alice, bob)
    acls(t, alice, bob)
    blocks(t, alice, bob)
    session = sessions(t, alice, bob)
    url = presigned(t, session)
    command_line(t)
    after_deletion(t, alice, session, url)
    after_restart(t, bob)


if __name__ == "__main__":
    main(run)
