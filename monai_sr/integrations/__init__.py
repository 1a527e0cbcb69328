"""Super-resolution inside other systems; each part needs an extra, or an environment, of its own."""
