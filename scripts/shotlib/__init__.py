"""What `scripts/screenshots` photographs."""
