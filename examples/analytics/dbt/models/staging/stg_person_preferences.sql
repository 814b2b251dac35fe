-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'person_id')::uuid as person_id,
    (data->>'email')::boolean as email,
    (data->>'whatsapp')::boolean as whatsapp
from {{ source('landed', 'event') }}
where topic = 'booking.notifier.preferences.v1' and type = 'PersonPreferences' and data is not null
