-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'notification_id')::uuid as notification_id,
    (data->>'recipient_id')::varchar as recipient_id,
    (data->>'channel')::varchar as channel,
    (data->>'template')::varchar as template,
    (data->>'session_id')::uuid as session_id,
    (data->>'transaction_id')::uuid as transaction_id,
    (data->>'attempt')::bigint as attempt,
    (data->>'at')::timestamptz as delivered_at
from {{ source('landed', 'event') }}
where topic = 'booking.notifier.notifications.v1' and type = 'NotificationDelivered' and data is not null
