package collect_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pithings/conf"
	"pithings/gateway/collect"
)

func rule(condition, operand string, change func(*collect.AlarmRule)) collect.AlarmRule {
	var r collect.AlarmRule
	conf.Fill(&r)
	r.Name, r.Condition1, r.Operand1 = "Warn1", condition, operand
	if change != nil {
		change(&r)
	}
	return r
}

// Each condition with a value below, at and above its operand, and what is no number.
func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		condition, operand string
		values             []any
		want               string // 1: an alarm
	}{
		{collect.Eq, "30", []any{29, 30, 31, 30.0, "30", nil}, "010110"},
		{collect.Neq, "30", []any{29, 30, 31, "x", nil}, "10111"},
		{collect.Gt, "30", []any{29, 30, 31, 30.1, "31", "x", nil}, "0011100"},
		{collect.Gne, "30", []any{29, 30, 31}, "011"},
		{collect.Lne, "30", []any{29, 30, 31}, "110"},
		{collect.Lt, "30", []any{29, 30, 31, -1e9}, "1001"},
		{collect.Eq, "true", []any{true, false, 1, 0, "on", "off"}, "101010"},
		{collect.Eq, "1", []any{true, false, "on"}, "101"},
		{collect.Eq, "off", []any{false, "OFF", "on"}, "110"},
		{collect.Eq, "open", []any{"open", "OPEN", "closed", 1}, "1100"},
		{collect.Gt, "open", []any{"open", 1, true}, "000"},
		{"", "30", []any{30}, "0"},
	} {
		got := ""
		for _, v := range tt.values {
			a := collect.Alarm{AlarmRule: rule(tt.condition, tt.operand, nil)}
			if _, on := a.Observe(v, start); on {
				got += "1"
			} else {
				got += "0"
			}
		}
		if got != tt.want {
			t.Errorf("%s %s of %v: got %s, want %s", tt.condition, tt.operand, tt.values, got, tt.want)
		}
		if collect.Unordered(tt.condition, tt.operand) != (tt.condition == collect.Gt && tt.operand == "open") {
			t.Errorf("%s %s: whether it can hold", tt.condition, tt.operand)
		}
	}
}

// Values come once a second; events are written as SECOND on|off VALUE.
func TestAlarms(t *testing.T) {
	between := func(r *collect.AlarmRule) { r.Combine, r.Condition2, r.Operand2 = collect.And, collect.Lt, "50" }
	outside := func(r *collect.AlarmRule) { r.Combine, r.Condition2, r.Operand2 = collect.Or, collect.Lt, "10" }
	delayed := func(r *collect.AlarmRule) { r.Delay = conf.Duration{Duration: 3 * time.Second} }
	slack := func(r *collect.AlarmRule) { r.Hysteresis = 2 }
	for _, tt := range []struct {
		name   string
		rule   collect.AlarmRule
		values []any
		want   string
	}{
		{"greater", rule(collect.Gt, "30", nil), []any{29, 31, 33, 30, 29}, "1 on 31, 3 off 30"},
		{"between, as in the manual", rule(collect.Gt, "30", between), []any{30, 31, 49, 50, 40, 20}, "1 on 31, 3 off 50, 4 on 40, 5 off 20"},
		{"outside", rule(collect.Gt, "30", outside), []any{20, 31, 20, 9, 10}, "1 on 31, 2 off 20, 3 on 9, 4 off 10"},
		{"hysteresis", rule(collect.Gt, "30", slack), []any{31, 30, 28.5, 28, 30, 31}, "0 on 31, 3 off 28, 5 on 31"},
		{"hysteresis below", rule(collect.Lne, "10", slack), []any{10, 12, 12.1}, "0 on 10, 2 off 12.1"},
		{"hysteresis of equal", rule(collect.Eq, "5", slack), []any{6, 5, 7, 7.5}, "1 on 5, 3 off 7.5"},
		{"delay", rule(collect.Gt, "30", delayed), []any{31, 32, 30, 33, 34, 35, 36, 37}, "6 on 35"},
		{"delay without further values", rule(collect.Gt, "30", delayed), []any{31, nil, nil, nil, nil}, "3 on 31"},
		{"clearing waits for nothing", rule(collect.Gt, "30", delayed), []any{31, 31, 31, 31, 29}, "3 on 31, 4 off 29"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := collect.Alarm{AlarmRule: tt.rule}
			var got []string
			for second, v := range tt.values {
				now := at(float64(second))
				note := func(e collect.AlarmEvent, ok bool) {
					if ok {
						got = append(got, fmt.Sprintf("%d %s %v", second, map[bool]string{true: "on", false: "off"}[e.On], e.Value))
					}
				}
				if due := a.Due(); !due.IsZero() && !due.After(now) {
					note(a.Elapsed(now))
				}
				if v != nil {
					note(a.Observe(v, now))
				}
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What was triggered stays so over a restart, until its value comes back.
func TestAlarmIsKept(t *testing.T) {
	a := collect.Alarm{AlarmRule: rule(collect.Gt, "30", nil)}
	a.Observe(33.5, at(1))
	if !a.Acknowledge() || a.Acknowledge() {
		t.Error("the first acknowledgement is news, the second is not")
	}
	kept, err := json.Marshal(a.AlarmState)
	if err != nil {
		t.Fatal(err)
	}
	b := collect.Alarm{AlarmRule: a.AlarmRule}
	if err := json.Unmarshal(kept, &b.AlarmState); err != nil {
		t.Fatal(err)
	}
	if !b.On || !b.Acknowledged || b.Trigger != 33.5 || !b.Since.Equal(at(1)) {
		t.Errorf("kept %s", kept)
	}
	if e, ok := b.Observe(35.0, at(2)); ok {
		t.Errorf("triggered again: %+v", e)
	}
	e, ok := b.Observe(20.0, at(3))
	if !ok || e.On || e.Value != 20.0 || e.Trigger != 33.5 || b.Acknowledged {
		t.Errorf("got %+v", e)
	}
	if b.Acknowledge() {
		t.Error("a cleared alarm cannot be acknowledged")
	}
}
