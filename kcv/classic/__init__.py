"""What is not a network: region proposals."""
