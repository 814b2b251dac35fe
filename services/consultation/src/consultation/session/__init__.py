"""The FeedbackSession aggregate: commands, states, the lifecycle, the decider and its one SQL statement."""
