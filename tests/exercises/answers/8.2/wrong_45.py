# wrong: the library's queue, which this function is not given
# must say: it is given session, now, until
# must not say: import queue

def claim(session, now, until):
    return queue.claim(session)
