"""The compiled rooms of Atlas: bytes in, bytes out. Nothing here knows a framework or imports from a higher floor."""
