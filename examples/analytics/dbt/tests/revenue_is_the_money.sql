-- Every movement is in the revenue of one month and one currency: nothing is lost or added up across currencies on the way.
select coalesce(m.currency, r.currency) as currency, m.amount, r.amount as told
from (select currency, sum(amount) as amount from {{ ref('money') }} group by currency) m
full join (select currency, sum(net + in_review) as amount from {{ ref('revenue') }} group by currency) r on r.currency = m.currency
where m.amount is distinct from r.amount
