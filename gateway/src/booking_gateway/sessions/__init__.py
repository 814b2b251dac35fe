"""Sessions, for both of their people: the story, the schedule, the meeting, the result, the calendar."""
