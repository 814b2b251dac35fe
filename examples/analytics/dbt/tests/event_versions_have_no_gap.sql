-- The events of a stream are its versions 1, 2, 3 without gaps. A hole is an event that was not landed.
select topic, key, count(*) as events, max(ce_sequence) as last
from {{ source('landed', 'event') }}
where topic in ('booking.checkout.transactions.v1', 'booking.consultation.sessions.v1')
group by topic, key
having count(*) <> max(ce_sequence) or count(distinct ce_sequence) <> count(*) or min(ce_sequence) <> 1
