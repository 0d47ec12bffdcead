package ledger

import (
	"strings"
	"testing"
)

// upTo are the numbers from 1 to n.
func upTo(n uint64) (s []uint64) {
	for i := uint64(1); i <= n; i++ {
		s = append(s, i)
	}
	return s
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name          string
		safe, arrived []uint64
		p             Promise
		report        string
		complaint     string // "": none
	}{
		{"all", upTo(5), []uint64{1, 2, 3, 4, 5}, Promise{3, 1}, "5 messages, 0 duplicates in 0 repetitions of at most 0, 0 lost", ""},
		{"nothing", nil, nil, Promise{3, 0}, "0 messages, 0 duplicates in 0 repetitions of at most 0, 0 lost", ""},
		{"a window again", upTo(5), []uint64{1, 2, 3, 4, 2, 3, 4, 5}, Promise{3, 2}, "5 messages, 3 duplicates in 1 repetitions of at most 3, 0 lost", ""},
		{"a repetition that is broken off", upTo(6), []uint64{1, 2, 3, 4, 2, 3, 2, 3, 4, 5, 6}, Promise{3, 3}, "6 messages, 5 duplicates in 2 repetitions of at most 3, 0 lost", ""},
		{"the last again", upTo(3), []uint64{1, 2, 3, 3}, Promise{3, 2}, "3 messages, 1 duplicates in 1 repetitions of at most 1, 0 lost", ""},
		{"more than was safe", upTo(3), []uint64{1, 2, 3, 7, 9, 7, 9, 10}, Promise{3, 2}, "6 messages, 2 duplicates in 1 repetitions of at most 2, 0 lost", ""},
		{"lost", upTo(9), []uint64{1, 2, 5, 9}, Promise{3, 1}, "4 messages, 0 duplicates in 0 repetitions of at most 0, 5 lost", "5 of 9 safe messages are lost: 3–4, 6–8"},
		{"lost at the end", upTo(4), []uint64{1, 2, 3}, Promise{3, 1}, "", "lost: 4"},
		{"order", upTo(4), []uint64{1, 3, 2, 4}, Promise{3, 2}, "", "message 2 arrived for the first time after 3"},
		{"longer than the window", upTo(5), []uint64{1, 2, 3, 4, 1, 2, 3, 4, 5}, Promise{3, 2}, "", "repeated 4 messages behind the newest"},
		{"with a hole", upTo(5), []uint64{1, 2, 3, 4, 2, 4, 5}, Promise{3, 2}, "", "left out of a repetition"},
		{"out of a repetition before its end", upTo(6), []uint64{1, 2, 3, 4, 2, 5, 6}, Promise{3, 2}, "", "left out of a repetition"},
		{"a repetition without a new session", upTo(3), []uint64{1, 2, 2, 3}, Promise{3, 1}, "", "1 repetitions in 1 sessions"},
		{"more than the sessions explain", upTo(2), []uint64{1, 2, 1, 2, 1, 2}, Promise{2, 2}, "", "2 repetitions in 2 sessions"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Check(tc.safe, tc.arrived, tc.p)
			if tc.report != "" && r.String() != tc.report {
				t.Errorf("%s, want %s", r, tc.report)
			}
			if tc.complaint == "" && err != nil || tc.complaint != "" && (err == nil || !strings.Contains(err.Error(), tc.complaint)) {
				t.Errorf("%v, want %q", err, tc.complaint)
			}
		})
	}
}
