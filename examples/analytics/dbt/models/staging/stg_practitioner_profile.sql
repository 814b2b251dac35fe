-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'id')::uuid as id,
    (data->>'name')::varchar as name,
    (data->>'photo_url')::varchar as photo_url,
    (data->>'bio')::varchar as bio,
    (data->>'profession')::varchar as profession,
    (data->>'tiers')::varchar as tiers,
    (data->>'timezone')::varchar as timezone,
    (data->>'active')::boolean as active
from {{ source('landed', 'event') }}
where topic = 'booking.directory.practitioners.v1' and type = 'PractitionerProfile' and data is not null
