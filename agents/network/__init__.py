"""What stands above links: paths over several nodes."""
