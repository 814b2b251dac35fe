"""Changes as they happen: from Kafka's topics to the pages that show what changed."""
