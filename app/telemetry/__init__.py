"""What is counted. Doors, services and clients count alike, so this room lies below them all."""
