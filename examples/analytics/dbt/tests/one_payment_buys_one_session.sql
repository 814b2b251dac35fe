-- R2: of a purchase at most one session was completed, and only one is open.
select transaction_id
from {{ ref('sessions') }}
group by transaction_id
having count(*) filter (where status = 'completed') > 1 or count(*) filter (where status not in ('completed', 'canceled', 'failed')) > 1
