"""Files of native code are run as they are: only those that no other user can write are used."""

import os
import stat


def check(status: os.stat_result, name: object) -> None:
    """Whether only this user can have written a file, or what is in a folder.

    Raises:
      PermissionError: others can.
    """
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{name} is another user's")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{name} can be written by others; remove it")
