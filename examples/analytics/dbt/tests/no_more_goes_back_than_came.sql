-- P5: what is given back or taken back of a purchase is never more than what came in for it, in each currency.
select transaction_id, currency, sum(amount) as left_over from {{ ref('money') }} group by transaction_id, currency having sum(amount) < 0
