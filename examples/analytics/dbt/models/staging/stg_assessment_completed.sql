-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'assessment_id')::uuid as assessment_id,
    (data->>'user_id')::uuid as user_id,
    (data->>'completed_at')::timestamptz as completed_at
from {{ source('landed', 'event') }}
where topic = 'booking.assessments.v1' and type = 'AssessmentCompleted' and data is not null
