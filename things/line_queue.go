package things

import (
	"slices"
	"time"
)

// lineQueueMost bounds the lines that wait to be printed, in bytes: a terminal that has
// stopped reading costs no more memory.
const lineQueueMost = 1 << 20

// lineCost is what a line takes besides its text.
const lineCost = 64

// lineQueue is lines in the order in which they are printed. New lines are dropped when it is
// full.
type lineQueue struct {
	all    []queuedLine
	size   int
	unread int // dropped since the last line was taken
}

// queuedLine is a line that is not printed yet.
type queuedLine struct {
	text   string
	behind uint64    // it stands behind the first lines of publications up to this one,
	until  time.Time // unless they have none by then
}

// first returns the line that is printed next, or nil.
func (q *lineQueue) first() *queuedLine {
	if len(q.all) == 0 {
		return nil
	}
	return &q.all[0]
}

// pop takes the first line, and returns how many were dropped since the last call.
func (q *lineQueue) pop() (text string, unread int) {
	text, unread = q.all[0].text, q.unread
	q.all[0] = queuedLine{}
	if q.all = q.all[1:]; len(q.all) == 0 {
		q.all = nil
	}
	q.size -= len(text) + lineCost
	q.unread = 0
	return text, unread
}

// add puts a line at the end.
func (q *lineQueue) add(l queuedLine) { q.put(len(q.all), l) }

// insert puts the first line of publication n before the lines that wait for it.
func (q *lineQueue) insert(text string, n uint64) {
	i := slices.IndexFunc(q.all, func(l queuedLine) bool { return l.behind >= n })
	if i < 0 {
		i = len(q.all)
	}
	q.put(i, queuedLine{text: text})
}

func (q *lineQueue) put(i int, l queuedLine) {
	if q.size+len(l.text)+lineCost > lineQueueMost && len(q.all) > 0 { // one always has room
		q.unread++
		return
	}
	q.all = slices.Insert(q.all, i, l)
	q.size += len(l.text) + lineCost
}
