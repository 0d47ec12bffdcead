package collect_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
)

var start = time.Date(2020, 5, 14, 5, 35, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func variable(device, name, group string, change func(*collect.Variable)) collect.Variable {
	var v collect.Variable
	conf.Fill(&v)
	v.Device, v.Name, v.Group = device, name, group
	if change != nil {
		change(&v)
	}
	return v
}

func group(name string, polling, upload time.Duration) collect.Group {
	return collect.Group{Name: name, Polling: conf.Duration{Duration: polling}, Upload: conf.Duration{Duration: upload}}
}

func collector(vars []collect.Variable, groups ...collect.Group) *collect.Collector {
	c := collect.New(groups, start)
	for _, v := range vars {
		c.Add(v)
	}
	return c
}

// show writes rounds as TIME GROUP: NAME=VALUE/STATUS ….
func show(rounds []collect.Round) string {
	var lines []string
	for _, r := range rounds {
		line := fmt.Sprintf("%v %s:", r.At.Sub(start).Seconds(), r.Group)
		for _, s := range r.Samples {
			status := 0
			if s.Good {
				status = 1
			}
			line += fmt.Sprintf(" %s=%v/%d", s.Name, s.Value, status)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Two groups with rates of their own run for a minute; values come in between.
func TestRounds(t *testing.T) {
	onchange := func(v *collect.Variable) { v.Mode, v.DeadZone = collect.OnChange, 0.5 }
	type set struct {
		at    float64
		i     int
		value any
	}
	for _, tt := range []struct {
		name   string
		vars   []collect.Variable
		groups []collect.Group
		sets   []set
		want   string
	}{
		{"realtime at each poll", []collect.Variable{variable("plc", "a", "g", nil)}, []collect.Group{group("g", 20*time.Second, 0)},
			[]set{{5, 0, 1}, {25, 0, 2}},
			"20 g: a=1/1\n40 g: a=2/1\n60 g: a=2/1"},
		{"upload slower than polling", []collect.Variable{variable("plc", "a", "g", nil)}, []collect.Group{group("g", 10*time.Second, 30*time.Second)},
			[]set{{5, 0, 1}, {29, 0, 2}},
			"30 g: a=2/1\n60 g: a=2/1"},
		{"upload that is no multiple of polling waits for the next poll", []collect.Variable{variable("plc", "a", "g", nil)}, []collect.Group{group("g", 20*time.Second, 30*time.Second)},
			[]set{{5, 0, 1}},
			"40 g: a=1/1\n60 g: a=1/1"},
		{"two groups, in the order of their times", []collect.Variable{variable("plc", "a", "fast", nil), variable("plc", "b", "slow", nil)},
			[]collect.Group{group("slow", 30*time.Second, 0), group("fast", 15*time.Second, 0)},
			[]set{{1, 0, true}, {1, 1, "x"}},
			"15 fast: a=true/1\n30 slow: b=x/1\n30 fast: a=true/1\n45 fast: a=true/1\n60 slow: b=x/1\n60 fast: a=true/1"},
		{"onchange with a dead zone", []collect.Variable{variable("plc", "a", "g", onchange)}, []collect.Group{group("g", 10*time.Second, 0)},
			[]set{{5, 0, 20.0}, {15, 0, 20.5}, {25, 0, 20.6}, {35, 0, 20.2}},
			"10 g: a=20/1\n30 g: a=20.6/1"},
		{"onchange is handed over at the upload interval", []collect.Variable{variable("plc", "a", "g", onchange), variable("plc", "b", "g", nil)},
			[]collect.Group{group("g", 10*time.Second, 20*time.Second)},
			[]set{{1, 1, 7}, {5, 0, false}, {25, 0, true}},
			"20 g: a=false/1 b=7/1\n40 g: a=true/1 b=7/1\n60 g: b=7/1"},
		{"a value that was never reported is abnormal", []collect.Variable{variable("plc", "a", "g", nil), variable("plc", "b", "g", onchange)},
			[]collect.Group{group("g", 30*time.Second, 0)}, nil,
			"30 g: a=<nil>/0\n60 g: a=<nil>/0"},
		{"a group without variables has no rounds", []collect.Variable{variable("plc", "a", "g", func(v *collect.Variable) { v.Mode = collect.Never })},
			[]collect.Group{group("g", 10*time.Second, 0), group("empty", 10*time.Second, 0)},
			[]set{{1, 0, 1}}, ""},
		{"gain, offset and decimals", []collect.Variable{variable("plc", "a", "g", func(v *collect.Variable) { v.Gain, v.Offset, v.Decimals = 1.8, 32, 1 })},
			[]collect.Group{group("g", 20*time.Second, 0)},
			[]set{{1, 0, 21.57}, {25, 0, 10}, {45, 0, "text"}},
			"20 g: a=70.8/1\n40 g: a=50/1\n60 g: a=text/1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := collector(tt.vars, tt.groups...)
			var rounds []collect.Round
			for {
				next := c.Next()
				for len(tt.sets) > 0 && (next.IsZero() || at(tt.sets[0].at).Before(next)) {
					c.Set(tt.sets[0].i, tt.sets[0].value, at(tt.sets[0].at))
					tt.sets = tt.sets[1:]
				}
				if next.IsZero() || next.After(at(60)) {
					break
				}
				rounds = append(rounds, c.Poll(next)...)
			}
			if got := show(rounds); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// A machine that slept does not catch up on polls.
func TestMissedPolls(t *testing.T) {
	c := collector([]collect.Variable{variable("plc", "a", "g", nil)}, group("g", 10*time.Second, 0))
	if got := show(c.Poll(at(1234))); got != "1234 g: a=<nil>/0" {
		t.Errorf("got %s", got)
	}
	if next := c.Next(); !next.Equal(at(1240)) {
		t.Errorf("next poll at %v", next.Sub(start))
	}
}

// A thing that does not work makes its variables abnormal, and that is a change.
func TestDown(t *testing.T) {
	c := collector([]collect.Variable{variable("plc", "a", "g", func(v *collect.Variable) { v.Mode = collect.OnChange })}, group("g", 10*time.Second, 0))
	c.Set(0, 1, at(1))
	rounds := c.Poll(at(10))
	c.SetDown(0, true)
	rounds = append(rounds, c.Poll(at(20))...)
	rounds = append(rounds, c.Poll(at(30))...)
	c.SetDown(0, false)
	rounds = append(rounds, c.Poll(at(40))...)
	if got, want := show(rounds), "10 g: a=1/1\n20 g: a=1/0\n40 g: a=1/1"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A recall has all variables, also those of no group and without a change.
func TestRecall(t *testing.T) {
	c := collector([]collect.Variable{variable("plc", "a", "g", func(v *collect.Variable) { v.Mode = collect.OnChange }), variable("plc", "b", "none", nil), variable("env", "t", "g", nil)},
		group("g", 10*time.Second, 0))
	c.Set(0, 1, at(1))
	c.Set(2, 20.5, at(2))
	c.Poll(at(10))
	if got := show([]collect.Round{c.Recall(at(11), nil)}); got != "11 : a=1/1 b=<nil>/0 t=20.5/1" {
		t.Errorf("got %s", got)
	}
	if got := show([]collect.Round{c.Recall(at(12), func(v *collect.Variable) bool { return v.Device == "env" })}); got != "12 : t=20.5/1" {
		t.Errorf("got %s", got)
	}
	if got := c.Find("", "t"); len(got) != 1 || got[0] != 2 || len(c.Find("plc", "t")) > 0 {
		t.Errorf("found %v", got)
	}
}

// A number that JSON cannot hold is no value, wherever it comes from, and a whole number
// stays one unless it is scaled.
func TestSetNumbers(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		gain      float64
		set, want any
	}{
		{1, inf, nil}, {1, -inf, nil}, {1, math.NaN(), nil}, {1e300, 1e300, nil},
		{1, []any{1.0, math.NaN()}, nil}, {1, map[string]any{"a": []any{inf}}, nil}, {1, []any{1.0, "x"}, []any{1.0, "x"}},
		{1, int64(12), int64(12)}, {1, 12, 12}, {0.5, int64(12), 6.0}, {2, 12, 24.0}, {1, "inf", "inf"}, {1, true, true},
	} {
		c := collect.New([]collect.Group{{Name: "default", Polling: conf.Duration{Duration: time.Second}}}, time.Now())
		var v collect.Variable
		conf.Fill(&v)
		v.Gain = tt.gain
		i := c.Add(v)
		if got := c.Set(i, tt.set, time.Now()); !reflect.DeepEqual(got, tt.want) || c.At(i).Good != (tt.want != nil) {
			t.Errorf("%v × %v is %v, good %v, want %v", tt.set, tt.gain, got, c.At(i).Good, tt.want)
		}
		if _, err := json.Marshal(c.At(i).Value); err != nil {
			t.Errorf("%v: %v", tt.set, err)
		}
	}
}
