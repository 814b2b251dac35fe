-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'notice_id')::uuid as notice_id,
    (data->>'topic')::varchar as about_topic,
    (data->>'topic_id')::varchar as about_topic_id,
    (data->>'records')::bigint as records,
    (data->>'stretches')::varchar as stretches
from {{ source('landed', 'event') }}
where topic = 'booking.operations.notices.v1' and type = 'RepublishEnded' and data is not null
