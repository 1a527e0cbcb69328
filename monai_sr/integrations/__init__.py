"""The same super-resolution inside other systems, each of which is installed apart."""
