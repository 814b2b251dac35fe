"""What is generated from the event classes and the topic catalogue: JSON Schemas, AsyncAPI, the page of events."""
