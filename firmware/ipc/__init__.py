"""The recorder's Unix socket: codec, server and client."""
