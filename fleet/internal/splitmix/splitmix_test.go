package splitmix

import "testing"

// The first numbers of the seed 1234567 are those that other implementations have
// (https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64).
func TestReference(t *testing.T) {
	state := uint64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := Mix(state); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
		state += Step
	}
}

// Unit spreads over its range.
func TestUnit(t *testing.T) {
	const n, parts = 100_000, 10
	var in [parts]int
	for i := range uint64(n) {
		u := Unit(i)
		if u < 0 || u >= 1 {
			t.Fatalf("%v of %d", u, i)
		}
		in[int(u*parts)]++
	}
	for part, have := range in {
		if have < n/parts*95/100 || have > n/parts*105/100 {
			t.Errorf("%d of %d in part %d of %d", have, n, part, parts)
		}
	}
}
