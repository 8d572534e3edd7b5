"""The API in OpenAPI's words: made from what views say of themselves (`instances.describing`) and from the elements.

operations     one operation, from a description
responses      the errors that calls of a kind can answer, and the headers of every answer
paths          the paths of the document, from the routes, and those described by hand
hub_records    the paths of every element's resources, and the schemas of their records
document       all of it together
pages          the page to browse it
python -m config.openapi [--check]    writes docs/openapi.json, or says how it differs
"""
