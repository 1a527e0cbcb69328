"""Other programs and people reach the upscaler through these; each needs an extra of its own."""
