-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'person_id')::uuid as person_id
from {{ source('landed', 'event') }}
where topic = 'booking.directory.erasures.v1' and type = 'PersonErased' and data is not null
