"""What horses do: postures, actions, bouts, company, alert rules."""
