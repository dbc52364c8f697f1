"""What one application may take of the machine: memory, processors, processes, disk."""
