"""Plain Ethernet: near stations to far ones. gw encapsulates it. For TRex port 0, which is cabled to gw's port.

    start -f plain.py -p 0 -m 1mpps -t --macs 1000
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stations import FAR, NEAR, arguments, inner, stream


class Plain:
    def get_streams(self, direction=0, tunables=(), **kwargs):
        a = arguments(tunables, kwargs)
        return [stream(a, inner(a, NEAR, FAR), 0)]


def register():
    return Plain()
