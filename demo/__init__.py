"""The whole house on one machine, embedded mail servers included."""
