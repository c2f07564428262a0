"""Sessions: a whole video, or a stretch of recordings, analysed as the work of one horse."""
