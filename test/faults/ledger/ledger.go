// Package ledger compares what was reported safe to a producer with what arrived.
package ledger

import (
	"errors"
	"fmt"
	"slices"
)

// Promise is what is promised of a connection.
type Promise struct {
	// Window is how many messages may be on their way without acknowledgement.
	Window int
	// Sessions is how many connections with the broker there were. Every one but
	// the first may begin with a repetition of what was on its way before.
	Sessions int
}

// Report says what arrived.
type Report struct {
	Messages   int // different ones
	Duplicates int
	Repeats    int // how often it went back to repeat
	Longest    int // the longest repetition, in messages
	Lost       []uint64
}

// String returns the counts on one line.
func (r Report) String() string {
	return fmt.Sprintf("%d messages, %d duplicates in %d repetitions of at most %d, %d lost", r.Messages, r.Duplicates, r.Repeats, r.Longest, len(r.Lost))
}

// Check compares. safe are the numbers that must have arrived, in any order;
// arrived are those that did, in the order in which they did. Numbers that were
// produced but never reported safe may be missing or not.
//
// It is an error if one is missing, if first arrivals are not in rising order, if
// a duplicate does not belong to a contiguous repetition of the latest window, or
// if there are more of those than the sessions explain.
func Check(safe, arrived []uint64, p Promise) (Report, error) {
	var r Report
	var errs []error
	const enough = 10
	complain := func(format string, args ...any) {
		if len(errs) < enough {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}

	place := make(map[uint64]int, len(arrived)) // of each number among those that arrived
	highest := uint64(0)
	for i, n := range arrived {
		if _, seen := place[n]; seen {
			continue
		}
		if len(place) > 0 && n < highest {
			complain("message %d arrived for the first time after %d (arrival %d)", n, highest, i)
		}
		highest = max(highest, n)
		place[n] = len(place)
	}
	r.Messages, r.Duplicates = len(place), len(arrived)-len(place)
	for _, n := range safe {
		if _, ok := place[n]; !ok {
			r.Lost = append(r.Lost, n)
		}
	}
	slices.Sort(r.Lost)
	r.Lost = slices.Compact(r.Lost)
	if len(r.Lost) > 0 {
		complain("%d of %d safe messages are lost: %s", len(r.Lost), len(safe), runs(r.Lost))
	}

	newest := -1 // highest place so far
	last := -1   // place of the arrival before
	for i, n := range arrived {
		at := place[n]
		switch {
		case at <= last:
			r.Repeats++
			length := newest - at + 1
			r.Longest = max(r.Longest, length)
			if length > p.Window {
				complain("message %d was repeated %d messages behind the newest, the window is %d (arrival %d)", n, length, p.Window, i)
			}
		case at > last+1:
			complain("message %d follows %d: what is between was left out of a repetition, or came too late (arrival %d)", n, arrived[max(i-1, 0)], i)
		}
		last, newest = at, max(newest, at)
	}
	if most := max(0, p.Sessions-1); r.Repeats > most {
		complain("%d repetitions in %d sessions", r.Repeats, p.Sessions)
	}
	if most := max(0, p.Sessions-1) * p.Window; r.Duplicates > most {
		complain("%d duplicates; %d sessions with a window of %d explain %d", r.Duplicates, p.Sessions, p.Window, most)
	}
	return r, errors.Join(errs...)
}

// runs writes sorted numbers as ranges.
func runs(n []uint64) (s string) {
	const enough = 20
	for i, count := 0, 0; i < len(n); count++ {
		if count == enough {
			return s + " …"
		}
		j := i
		for j+1 < len(n) && n[j+1] == n[j]+1 {
			j++
		}
		if s != "" {
			s += ", "
		}
		if s += fmt.Sprint(n[i]); j > i {
			s += fmt.Sprint("–", n[j])
		}
		i = j + 1
	}
	return s
}
