DROP TABLE broker_reached
