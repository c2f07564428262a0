"""From packets to chunks of video on disk, with what was seen in them beside each."""
