"""A file system of its own that can lose its power: what was not synced is gone, as on a real cut.

An image file with ext4 is mounted through a loop device.  The cut is the shutdown request of the
file system without a flush of its log: from then on nothing reaches the image.  What is there
after the next mount is what a disk would hold.  The writers are stopped first, or they would live
a few microseconds longer than their disk and tell the world what it does not hold.
"""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)."""

NO_LOG_FLUSH = 2
IMAGE_MB = 96


def why_not() -> str | None:
    """What is missing here for a power cut, None if nothing is."""
    if os.geteuid() != 0:
        return "a power cut needs root"
    if not Path("/dev/loop-control").exists():
        return "a power cut needs loop devices"
    return None


class PoweredDisk:
    """One image, mounted at a place."""

    def __init__(self, image: Path, place: Path) -> None:
        self.image, self.place = image, place
        with image.open("wb") as file:
            file.truncate(IMAGE_MB * 2**20)
        # Commits of its own every 5 s would save what nobody synced: let them be rare.
        self._options = "loop,commit=600"
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        place.mkdir(exist_ok=True)
        self.mount()
        place.chmod(0o700)

    def mount(self) -> None:
        """Mount it; the journal of the file system is replayed."""
        command = ["mount", "-t", "ext4", "-o", self._options, str(self.image), str(self.place)]
        subprocess.run(command, check=True)

    def cut(self) -> None:
        """No write reaches the image any more."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def unmount(self) -> None:
        """Take it away; its users are gone by now."""
        subprocess.run(["umount", str(self.place)], check=True)

    def close(self) -> None:
        """Unmount whatever state it is in."""
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)
