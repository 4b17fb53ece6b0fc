"""Ctrl-C and SIGTERM as a flag that a loop looks at between two steps."""

import signal
import threading


class StopSignal:
    """Turns Ctrl-C and SIGTERM into a flag; a second one ends the process at once."""

    def __enter__(self):
        self._event = threading.Event()
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, number, frame):
        self._event.set()
        signal.signal(number, self._before[number])

    def is_set(self):
        """True from the first signal on."""
        return self._event.is_set()

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
