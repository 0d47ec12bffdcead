package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func planned(t *testing.T, devices int, seed uint64, text string) *Plan {
	t.Helper()
	s, err := Parse("s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(s, devices, seed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// items are all messages of a device before a time.
func items(p *Plan, device int, end time.Duration) (all []Item) {
	for track := p.Track(device); ; {
		item := track.Next()
		if item.At >= end {
			return all
		}
		all = append(all, item)
	}
}

// An order has each place once, and those of other keys are others.
func TestOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 65, 1000, 4097} {
		seen := make([]bool, n)
		same := 0
		for i := range n {
			at := newOrder(n, 5).place(i)
			if seen[at] {
				t.Fatalf("%d devices: the place %d twice", n, at)
			}
			seen[at] = true
			if newOrder(n, 6).place(i) == at {
				same++
			}
		}
		if n >= 64 && same > n/4 {
			t.Errorf("%d devices: %d have the same place with another key", n, same)
		}
	}
}

// A share hits as many devices as it says, and follows from the seed; faults of a group hit the same.
func TestHits(t *testing.T) {
	const text = short + `faults:
  - {do: malformed, share: 1%, group: bad}
  - {do: flood, share: 3%, group: bad}
  - {do: stuck, share: 1%}
  - {do: silent, devices: 7}
  - {do: break}
  - {do: leave, share: 0%}
  - {do: leave, share: 0.001%}
`
	const n = 1000
	hit := func(seed uint64, fault int) (all []int) {
		p := planned(t, n, seed, text)
		for i := range n {
			if p.Hits(fault, i) {
				all = append(all, i)
			}
		}
		if len(all) != p.Count(fault) {
			t.Errorf("fault %d: %d are hit, and %d are counted", fault, len(all), p.Count(fault))
		}
		return all
	}
	for fault, want := range []int{10, 30, 10, 7, 1000, 0, 1} {
		if got := hit(1, fault); len(got) != want {
			t.Errorf("fault %d hits %d, want %d", fault, len(got), want)
		}
	}
	if again := hit(1, 0); !slices.Equal(again, hit(1, 0)) || slices.Equal(again, hit(2, 0)) || slices.Equal(again, hit(1, 2)) {
		t.Error("those that are hit do not follow from seed and fault")
	}
	for _, i := range hit(1, 0) {
		if !slices.Contains(hit(1, 1), i) {
			t.Errorf("device %d of the group is not hit by the larger share", i)
		}
	}
}

// What a device sends, message by message.
func TestTrack(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		end        time.Duration
		check      func(all []Item) string // what is wrong
	}{
		{"a phase", "{name: a, for: 1m}]", Never, func(all []Item) string {
			if len(all) < 7 || len(all) > 8 || all[0].What != Restart || all[0].At != all[1].At || all[2].At-all[1].At >= 10*time.Second || all[4].At-all[3].At != 10*time.Second {
				return "no start event, value at once, and then one every 10 s"
			}
			return ""
		}},
		{"not connected at first", "{name: a, for: 1m, connected: 0%}, {name: b, for: 1m}]", Never, func(all []Item) string {
			if all[0].At < time.Minute || len(all) < 7 {
				return "it sends before it is there"
			}
			return ""
		}},
		{"another interval", "{name: a, for: 1m}, {name: b, for: 1m, interval: 1s}]", Never, func(all []Item) string {
			if n := len(all); n < 65 || n > 69 {
				return "not 6 and 60 values"
			}
			return ""
		}},
		{"silent", "{name: a, for: 1m}]\nfaults: [{at: 10s, do: silent, for: 30s}]", Never, func(all []Item) string {
			for _, i := range all {
				if i.At >= 10*time.Second && i.At < 40*time.Second {
					return "it is not silent"
				}
			}
			return ""
		}},
		{"flood", "{name: a, for: 1m}]\nfaults: [{at: 10s, do: flood, rate: 10/s, for: 10s}]", Never, func(all []Item) string {
			if n := len(all); n < 104 || n > 109 {
				return "not 100 values more"
			}
			return ""
		}},
		{"one fault in another", "{name: a, for: 1m}]\nfaults: [{do: malformed}, {at: 20s, do: oversize, for: 20s}]", Never, func(all []Item) string {
			for _, i := range all[1:] {
				want, size := Malformed, 0
				if i.At >= 20*time.Second && i.At < 40*time.Second {
					want, size = Oversize, 129<<10
				}
				if i.What != want || i.Size != size {
					return "not malformed, and oversize meanwhile"
				}
			}
			return ""
		}},
		{"a restart", "{name: a, for: 1m}]\nfaults: [{at: 30s, do: restart}]", Never, func(all []Item) string {
			n := slices.IndexFunc(all[1:], func(i Item) bool { return i.What == Restart })
			if n < 0 || all[n+1].At < 31*time.Second {
				return "no start event behind the restart"
			}
			return ""
		}},
		{"left and back", "{name: a, for: 1m}]\nfaults: [{at: 10s, do: leave, for: 20s}]", Never, func(all []Item) string {
			back := 0
			for _, i := range all {
				if i.At >= 10*time.Second && i.At < 30*time.Second {
					return "it sends while it is away"
				}
				if i.At >= 30*time.Second && back == 0 {
					back = 1
					if i.At > 30*time.Second+time.Second { // ten devices at 100/s
						return "it sends nothing as it comes back"
					}
				}
			}
			return ""
		}},
		{"a certificate that ends for good", "{name: a, for: 1m}]\nfaults: [{at: 10s, do: expire}]", Never, func(all []Item) string {
			if all[len(all)-1].At >= 10*time.Second {
				return "it sends behind the end"
			}
			return ""
		}},
		{"without an end", "{name: a}]", time.Hour, func(all []Item) string {
			if n := len(all); n < 360 || n > 362 {
				return "not 360 values in an hour"
			}
			return ""
		}},
	} {
		p := planned(t, 10, 1, "name: x\ninterval: 10s\nphases: ["+tc.text)
		for device := range 10 {
			all := items(p, device, min(tc.end, p.End))
			if wrong := tc.check(all); wrong != "" {
				t.Errorf("%s, device %d: %s: %v", tc.name, device, wrong, all)
			}
			if again := items(p, device, min(tc.end, p.End)); !slices.Equal(all, again) {
				t.Errorf("%s: device %d sends something else the second time", tc.name, device)
			}
		}
	}
}

// What is asked of a broker at most.
func TestPeak(t *testing.T) {
	p := planned(t, 1000, 1, short+`faults:
  - {at: morning, do: flood, rate: 50/s, for: 60s, share: 1%}
  - {at: morning+60s, do: oversize, for: 60s, share: 1%, size: 2KiB}
`)
	const total = 60*200/30. + 120*100 + 60*500
	if got, want := fmt.Sprintf("%+v", p.Peak()), fmt.Sprintf("%+v", Load{Ramp: 500, Messages: 600, Bytes: 2048, Total: total}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := NewPlan(planned(t, 11, 1, short+"faults: [{do: break, devices: 11}]").Scenario, 10, 1); err == nil || !strings.Contains(err.Error(), "11") {
		t.Errorf("%v", err)
	}
}
