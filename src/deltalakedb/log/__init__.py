"""Reading `_delta_log`: knows Delta, never SQL."""
