package scheduletest

import (
	"errors"
	"slices"
	"testing"
)

// A schedule fails if it has three even numbers, so that three are what is left of it.
func TestShrink(t *testing.T) {
	fails := func(events []uint64) error {
		even := 0
		for _, e := range events {
			if e%2 == 0 {
				even++
			}
		}
		if even >= 3 {
			return errors.New("three")
		}
		return nil
	}
	got, err := shrink(fails, []uint64{1, 2, 3, 5, 4, 7, 9, 6, 8, 10, 11}, errors.New("three"))
	if err == nil || len(got) != 3 || slices.ContainsFunc(got, func(e uint64) bool { return e%2 == 1 }) {
		t.Errorf("%v, %v", got, err)
	}
}
