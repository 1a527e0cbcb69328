"""Where other software meets this one; each part needs an extra of its own."""
