"""One file a lesson: what it shows, what is guessed, what is asked. The mathematics lies one folder up."""
