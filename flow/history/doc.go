// Package history keeps the executions of flows and their events on disk, so that
// they can be looked at after the process has ended, however it ended.
//
// # Format
//
// A folder holds segments, executions-00000001.log and so on. A segment is lines:
//
//	CRC32C of the rest, 8 hexadecimal digits, a blank, a JSON object, LF
//
// The objects have the execution's number n, which counts up over all segments,
// and one of: start, an execution; event, one of its events; end, the execution
// as it ended; deleted, true. Lines are only appended; the oldest segments are
// removed as a whole. A line that is damaged is left out and logged; at the end of
// the last segment it is cut off: that is a write that a power cut interrupted.
//
// # When what is safe
//
// Recording waits for no disk: a goroutine writes behind, and syncs at most every
// SyncInterval, because flash memory wears out. A kill -9 costs at most what was
// recorded in the last moments, a power cut what was recorded since the last
// sync. An execution without an end in a folder that is opened was running when
// the process ended, and becomes ABORTED.
//
// A disk that is full or read-only costs history, never a flow: what could not be
// written is counted, and logged once, and writing is tried again.
package history
