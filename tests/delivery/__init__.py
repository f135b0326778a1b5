"""What leaves the machine, tried against real servers, pipes and processes on this one."""
