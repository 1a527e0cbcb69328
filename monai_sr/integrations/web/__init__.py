"""The local web page: images dropped on it are super-resolved, looked at and downloaded."""
