"""One file a lesson: its three questions, made from random numbers, with the right answer and why it is right."""
