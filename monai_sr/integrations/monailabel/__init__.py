"""A MONAI Label app whose models give finer images: `monailabel start_server --app` takes this folder.

MONAI Label has its own environment, made by `scripts/setup_monailabel.sh`; nothing outside imports this part.
"""
