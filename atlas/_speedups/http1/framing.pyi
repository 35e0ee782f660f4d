from typing import Literal

def of_request(
    http_10: bool, content_lengths: list[bytes], transfer_encodings: list[bytes]
) -> tuple[Literal["none", "length", "chunked"], int]: ...
def of_response(
    method: str, status: int, http_10: bool, has_length: bool, single: bool, trailers: bool = False
) -> Literal["none", "length", "chunked", "close"]: ...
