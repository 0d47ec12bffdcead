package host

import (
	"math"
	"testing"
)

func FuzzTexts(f *testing.F) {
	f.Add("0.52 0.31 0.18 1/142 2317")
	f.Add("MemTotal:  442292 kB\nMemAvailable:  268004 kB\n")
	f.Add("a\nb\n wlan0: 0000   55.  -55.  -256  0\n")
	f.Add(trie)
	f.Add("fe80000000000000ba27ebfffe123456 03 40 20 80    wlan0\n")
	f.Add("50005")
	f.Fuzz(func(t *testing.T, s string) {
		text := []byte(s)
		v := []float64{0, 0, 0}
		if err := numbers(text, v); err == nil && v[0]+v[1]+v[2] != v[0]+v[1]+v[2] {
			t.Errorf("numbers of %q: %v", s, v)
		}
		if err := parseMemory(text, v); err == nil && !(v[0] > 0 && v[1] <= v[0] && v[2] >= 0 && v[2] <= 100) {
			t.Errorf("memory of %q: %v", s, v)
		}
		levels, _ := parseWireless(text)
		for _, l := range levels {
			if !math.IsNaN(l.dBm) && (l.dBm >= 0 || l.dBm <= -256) {
				t.Errorf("level of %q: %v", s, l)
			}
		}
		four, _ := parseTrie(text)
		six, _ := parseInet6(text)
		for _, a := range append(four, six...) {
			if a.IsLoopback() || !a.IsValid() {
				t.Errorf("addresses of %q: %v, %v", s, four, six)
			}
		}
		_, _ = parseFlags(text)
	})
}
