{# The words that every model uses, in the SQL that DuckDB and PostgreSQL share. #}

{% macro month(column) %}(date_trunc('month', {{ column }} at time zone '{{ var("zone") }}')::date){% endmacro %}

{% macro hours(earlier, later) %}(extract(epoch from ({{ later }} - {{ earlier }})) / 3600.0){% endmacro %}

{% macro quantile(share, expression) %}round((percentile_cont({{ share }}) within group (order by ({{ expression }})::double precision))::numeric, 2){% endmacro %}

{% macro share(part, whole) %}round((1.0 * ({{ part }}) / nullif({{ whole }}, 0))::numeric, 3){% endmacro %}
