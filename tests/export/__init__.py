"""What an exported trace holds, format by format, read back by the tools it is for."""
