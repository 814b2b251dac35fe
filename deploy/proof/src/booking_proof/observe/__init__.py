"""`booking up --observe`: one page of the rules and dashboards of deploy/observability, judged over the local stack."""
