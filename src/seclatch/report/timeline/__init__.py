"""The timeline of a report: which processes have a lane, what is marked on it, and where. Pure.

In: a report's document. Out: lanes, and a chart in percent of the width. May import
`report.document`.
"""
