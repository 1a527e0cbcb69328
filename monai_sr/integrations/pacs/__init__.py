"""A PACS as source and destination, by DICOMweb."""
