"""The status page: read-only, over a catalog, for people and for Prometheus."""
