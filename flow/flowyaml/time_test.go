package flowyaml

import (
	"strings"
	"testing"

	"pithings/flow"
)

const timed = `name: Timed
trigger: {at: "07:00", days: workdays, zone: Europe/Berlin, catch_up: 15m}
vars: {count: 0, last: null}
steps:
  - {name: Wait, wait: 1h30m}
  - {name: Set, set: {count: "${vars.count + 1}"}}
  - {name: Go, thing: lamp, action: on, when: now.hour >= 22}
`

// TestTimeRoundTrip: what is printed of time, vars and flows in steps reads back as it
// was.
func TestTimeRoundTrip(t *testing.T) {
	sun := strings.Replace(timed, `at: "07:00", days: workdays, zone: Europe/Berlin`, "at: sunset, place: [-33.87, 151.21], offset: -30m, days: [mon, sat]", 1)
	held := strings.Replace(timed, `at: "07:00", days: workdays, zone: Europe/Berlin, catch_up: 15m`, "thing: room, event: State, when: value > 30 && vars.count < 3, for: 5m", 1)
	for name, text := range map[string]string{"at": timed, "sun": sun, "for": held,
		"seconds": strings.Replace(timed, "07:00", "7:00:30", 1),
		"flows": `name: Two
trigger: {at: "00:00", start: A}
flows:
  - {name: A, steps: [{name: S, flow: B, input: {n: 3}, output: r}, {name: T, thing: x, action: y, input: {r: "${r.v}"}}]}
  - {name: B, parameters: [n], steps: [{name: S, thing: x, action: y, input: {n: "${n}"}, output: v}]}
`} {
		f, err := Parse("x.yaml", []byte(text), flow.Known{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		printed, err := Print(f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("x.yaml", printed, flow.Known{})
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, printed)
			continue
		}
		again, err := Print(back)
		if err != nil || string(again) != string(printed) {
			t.Errorf("%s: printed\n%s\nand then\n%s", name, printed, again)
		}
		for _, word := range []string{"07:00", "07:00:30", "workdays", "Europe/Berlin", "15m", "sunset", "-33.87", "-30m", "[mon, sat]", "for: 5m", "wait: 1h30m", "count: 0", "flow: B"} {
			if strings.Contains(text, word) && !strings.Contains(string(printed), word) {
				t.Errorf("%s: no %q in\n%s", name, word, printed)
			}
		}
	}
}

// TestTimeProblems: errors are reported with their place and with what to write.
func TestTimeProblems(t *testing.T) {
	edit := func(old, with string) string { return strings.Replace(timed, old, with, 1) }
	for _, tc := range []struct{ text, says string }{
		{edit(`"07:00"`, `"25:00"`), `x.yaml:2:11: trigger: "25:00" is no time of the day; write, for example, "07:00"`},
		{edit("workdays", "[mon, fry]"), `"fry" is no day; write mon, tue`},
		{edit("Europe/Berlin", "Europe/Berlim"), `there is no time zone "Europe/Berlim"`},
		{edit("Europe/Berlin", "../../etc/passwd"), `there is no time zone`},
		{edit(`at: "07:00"`, "at: sunset"), "sunset depends on the place; write, for example, place:"},
		{edit(`at: "07:00"`, `at: "07:00", place: [1, 2]`), "place belongs to at: sunrise or at: sunset"},
		{edit(`at: "07:00"`, "at: sunset, place: [91, 2]"), "there is no place [91, 2]"},
		{edit(`at: "07:00"`, "at: sunset, place: 91"), "write [latitude, longitude]"},
		{edit(`at: "07:00"`, "at: sunset, place: [1, 2], offset: 13h"), "an offset of 13h0m0s"},
		{edit(`at: "07:00", `, ""), "days belongs to at, which is missing"},
		{edit("15m", "25h"), "catch_up: 25h0m0s; write at most"},
		{edit("1h30m", "400 days"), `"400days" is no duration`},
		{edit("1h30m", "9000h"), "a wait of 9000h0m0s; write one from 1ms to 8784h0m0s"},
		{edit("wait: 1h30m", "wait: 1h, timeout: 2h"), "a wait has no time-out"},
		{edit("wait: 1h30m", "wait: 1h, action: on"), "a wait has no action"},
		{edit("wait: 1h30m", "wait: -5m"), "a duration cannot be negative"},
		{edit("set: {count", "set: {cuont"), `the file's vars have no "cuont"`},
		{edit("vars.count + 1", "vars.cuont + 1"), `the file's vars have no "cuont"`},
		{edit("set: {count: \"${vars.count + 1}\"}", "set: {}"), "sets nothing"},
		{edit("wait: 1h30m", "flow: Nowhere"), `there is no flow "Nowhere" in this file`},
		{edit(`at: "07:00", days: workdays, zone: Europe/Berlin, catch_up: 15m`, "thing: room, event: State, for: 5m"), "for says how long a condition has to hold, and there is none"},
		{edit(`at: "07:00"`, `at: "07:00", every: 1 days`), "make two triggers of it"},
	} {
		_, err := Parse("x.yaml", []byte(tc.text), flow.Known{})
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s\ngot  %v\nwant %s", tc.text, err, tc.says)
		}
	}
}
