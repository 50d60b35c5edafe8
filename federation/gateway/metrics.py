"""What an operator watches of each link that comes in. Labels are centres of the directory."""

from prometheus_client import Counter, Gauge, Histogram

_MS = (0.5, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 2_584, 10_946)
_POWERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

streams = Gauge("amtsbruecke_gateway_streams", "Open streams", ["link"])
messages = Counter("amtsbruecke_gateway_messages", "Messages stored", ["link"])
duplicates = Counter("amtsbruecke_gateway_duplicates", "Messages that were there already", ["link"])
refusals = Counter("amtsbruecke_gateway_refusals", "Items refused or deferred", ["link", "reason"])
calls_refused = Counter(
    "amtsbruecke_gateway_calls_refused", "Calls refused or ended", ["link", "reason"]
)
commits = Counter("amtsbruecke_gateway_commits", "Commits, each with one receipt", ["link"])
batch_size = Histogram(
    "amtsbruecke_gateway_batch_size", "Messages in a commit", ["link"], buckets=_POWERS
)
commit_time = Histogram(
    "amtsbruecke_gateway_commit_seconds",
    "From the first statement of a commit to its end",
    ["link"],
    buckets=[each / 1000 for each in _MS],
)
blob_bytes = Counter("amtsbruecke_gateway_blob_bytes", "Bytes of documents stored", ["link"])
replayed = Counter("amtsbruecke_gateway_receipts_replayed", "Receipts sent once more", ["link"])
