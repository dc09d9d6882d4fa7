"""What runs inside a node's process."""
