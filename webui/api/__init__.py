"""The API of programs, `/api/v1` and `/metrics`, behind tokens with scopes; openapi.json is the contract."""
