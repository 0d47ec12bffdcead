// Package history keeps what things measured, for charts: one file for each quantity of a
// thing, bounded, in three tiers. docs/history-format.md describes the file byte by byte.
//
//	raw      one slot a second, for a day
//	minutes  minimum, mean, maximum and count of each minute, for a week
//	hours    the same of each hour, for a year
//
// A slot's place in the file follows from its time, so that a reader finds any range without an
// index, and a slot that nothing was written to is a gap. Slots are written a page of 4 KiB at a
// time. A page that is on the disk is never overwritten by a later version of itself before that
// version is safe in another place (the file's journal), so that a power cut loses what was not
// written yet, at most [MaxUnsaved], and nothing else.
//
// A [Store] takes readings as they come and owns the files. [Open] reads one file, also beside
// the process that writes it.
package history
