"""The corpus of F44: what a stranger or a defect may put into a topic. Each must be held, whatever lies around it."""

from aiokafka.record.util import calc_crc32c
from shared.inbox.tests.consumer_rig import Message, Rig

from booking_contracts.topics import Topic

_DEEP = b"[" * 100_000 + b"]" * 100_000


def spoiled(good: Message) -> dict[str, Message]:
    """One good record, spoiled in every way."""
    assert good.value is not None
    head, tail = good.value[:-1], b"}"
    type_ = dict(good.headers)["ce_type"] or b""
    return {
        "no JSON": good.changed(value=b"\xff\xfe not json"),
        "truncated": good.changed(value=good.value[:20]),
        "empty": good.changed(value=b""),
        "a tombstone on a topic of events": good.changed(value=None),
        "1 MB of noise": good.changed(value=b"\x00" * 1_000_000),
        "a null header": good.with_header("ce_id", None),
        "a header that is no UTF-8": good.with_header("ce_metadata", b"\xff\xfe"),
        "no headers": good.changed(headers=[]),
        "a wrong content-type": good.with_header("content-type", b"text/plain"),
        "a foreign source": good.with_header("ce_source", b"/booking/somewhere"),
        "metadata that are no object": good.with_header("ce_metadata", b"[]"),
        "metadata without an actor": good.with_header("ce_metadata", b"{}"),
        "deep nesting": good.changed(value=head + b',"x":' + _DEEP + tail),
        "NaN": good.changed(value=head + b',"x":NaN' + tail),
        "a huge integer": good.changed(value=head + b',"x":' + b"9" * 5000 + tail),
        "U+0000": good.changed(value=head + b',"x":"\\u0000"' + tail),
        "a lone surrogate": good.changed(value=head + b',"x":"\\ud800"' + tail),
        "a missing field": good.changed(value=b'{"session_id":"x"}'),
        "a sequence of zero": good.with_header("ce_sequence", b"0"),
        "a sequence beyond bigint": good.with_header("ce_sequence", b"9" * 30),
        "a newer version of its type": good.with_header("ce_type", type_.rpartition(b".")[0] + b".v2"),
    }


async def send_unreadable(rig: Rig, topic: Topic, partition: int) -> None:
    """A record as librdkafka could send it, its header's name no UTF-8: aiokafka's producer writes text only, so its
    bytes are mended."""
    batch = rig.producer.create_batch()
    batch.append(key=None, value=b"x", timestamp=None, headers=[("zzzz", b"v")])
    batch.close()
    data = bytearray(batch._build()).replace(b"zzzz", b"\xff\xfe\xfd\xfc")
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")  # KIP-98: the checksum is of all that follows it
    batch._buffer = data
    await (await rig.producer.send_batch(batch, rig.prefix + topic.name, partition=partition))
