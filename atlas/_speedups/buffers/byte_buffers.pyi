from typing import final

@final
class WriteBuffer:
    def __len__(self) -> int: ...
