"""The projection `user_schedule`: fold, merge, positions, generations, rebuild."""
