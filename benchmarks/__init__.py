"""What recording costs, measured beside the locks and recorders a user could choose instead."""
