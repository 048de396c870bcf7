"""Why a command fails: from what was seen of it to the cause and its remedies."""
