-- Nothing is scheduled that was not requested, nothing completed that was not scheduled, and every purchase is in one month and tier alone.
select month, tier from {{ ref('funnel') }} where requested > paid or scheduled > requested or completed > scheduled
union all
select null, 'purchases' from (select sum(bought) as told from {{ ref('funnel') }}) f where told <> (select count(*) from {{ ref('purchases') }})
