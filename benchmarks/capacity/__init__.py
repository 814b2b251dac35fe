"""What the system carries: costs measured, a model of them, its pictures and page. `python -m benchmarks.capacity`"""
