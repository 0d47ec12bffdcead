package hw_test

import (
	"strings"
	"testing"

	"pithings/hw"
)

func TestHeader(t *testing.T) {
	count := map[string]int{}
	for _, name := range hw.Header() {
		if strings.HasPrefix(name, "GPIO") {
			name = "GPIO"
		}
		count[name]++
	}
	if count["GPIO"] != 28 || count["GND"] != 8 || count["5V"] != 2 || count["3V3"] != 2 {
		t.Errorf("the header has %v, want 28 lines, 8 × ground, 2 × 5 V, 2 × 3.3 V", count)
	}
	for n, want := range map[int]int{2: 3, 4: 7, 17: 11, 27: 13, 10: 19, 7: 26, 0: 27, 1: 28, 26: 37, 21: 40, 28: 0, -1: 0} {
		if got := hw.HeaderPin(n); got != want {
			t.Errorf("GPIO%d is on pin %d, want %d", n, got, want)
		}
	}
	seen := map[int]bool{}
	for n := range 28 {
		seen[hw.HeaderPin(n)] = true
	}
	if len(seen) != 28 || seen[0] {
		t.Errorf("GPIO0 to GPIO27 are on %d pins", len(seen))
	}
}
