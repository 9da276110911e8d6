"""What all tests have in common."""

import signal

# A shell has what it starts in the background ignore Ctrl-C, and the processes that tests start inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
