"""Training steps: finite, compiled, and shared by replicas."""
