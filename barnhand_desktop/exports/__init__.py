"""What is handed out: clips, tables, and packets for the vet."""
