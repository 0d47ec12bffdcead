package playground

import (
	"strings"
	"testing"
	"time"
)

// outside does to a device what a line of a script says.
func outside(d *Device, r *recorder, what, value string) error {
	var c Change
	switch what {
	case "act":
		a, err := ParseAction(value)
		if err != nil {
			return err
		}
		return d.Act(a, r)
	case "press":
		return d.Press(value == "on", r)
	case "shadow":
		return d.AskShadow(r, func(doc []byte) { r.note("the shadow is " + string(doc)) })
	case "time":
		c.Interval, _ = time.ParseDuration(value)
	case "ddm_sr":
		every, _ := time.ParseDuration(value)
		c.Defender = &every
	case "topic":
		c.Topic = value
	case "payload":
		c.Payload = []byte(value)
	}
	if err := c.Check(); err != nil {
		return err
	}
	return d.Configure(r.now, &c)
}

// What is done to devices from outside.
func TestOutside(t *testing.T) {
	for _, tc := range []struct {
		name   string
		kind   Kind
		script string
	}{
		{"configured", Generic, `0.5 online
			2 time 20s
			10 topic newtopic/{}
			30 payload {"temp":{"value":31},"unit":"°C"}
			70 ddm_sr 300s
			75 time 5m
			76 ddm_sr 0s
			77 topic dt/+
			78 payload [1]
			79 ddm_sr 20s
			80 topic $aws/things/{}/shadow/update
			81 time 48h`},
		{"actions", Generic, `0.2 act tamper
			0.5 online
			1 act tamper
			2 act large
			3 act autherr
			4 act reconnect
			4.1 offline
			5 online
			6 act clean
			7 act reconnect
			8 act explode
			9 press on`},
		{"pressed", Switch, `0.5 online
			1 press on
			2 press on
			3 press off
			4 offline
			5 press on`},
		{"asked", Bulb, `0.3 shadow
			0.5 online
			1 shadow
			1.2 $aws/things/dev-0001/shadow/get/accepted {"state":{"desired":{"debug":"off","status":"on"}},"version":2}
			2 shadow
			2.1 $aws/things/dev-0001/shadow/get/rejected {"code":404}
			3 $aws/things/dev-0001/shadow/get/accepted {"state":{},"version":3}
			4 shadow
			5 offline`},
		{"plain", Telemetry, "0.5 online\n1 shadow\n2 ddm_sr 300s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := New(settings(), Device{Name: "dev-0001", Kind: tc.kind, Target: "dev-0002", Seed: 1})
			golden(t, tc.name, play(t, d, tc.script, 9*time.Minute))
		})
	}
}

// Values of telemetry do not depend on what is done from outside.
func TestOutsideKeepsTheValues(t *testing.T) {
	values := func(script string) []string {
		d := New(settings(), Device{Name: "dev-0001", Kind: Switch, Target: "dev-0002", Seed: 7})
		var all []string
		for _, line := range strings.Split(play(t, d, script, time.Hour), "\n") {
			if _, message, ok := strings.Cut(line, "s  dt/"); ok && strings.Contains(message, "{\"temp\"") {
				all = append(all, message)
			}
		}
		return all
	}
	quiet, busy := values("0.5 online"), values("0.5 online\n1 act large\n2 act tamper\n3 time 10s\n5 act autherr\n6 shadow\n7 time 1m")
	n := min(len(quiet), len(busy))
	if n < 30 || strings.Join(quiet[:n], " ") != strings.Join(busy[:n], " ") {
		t.Errorf("%d values: %q\n%q", n, quiet[:n], busy[:n])
	}
}

// Many devices that are changed together do not publish together.
func TestSpread(t *testing.T) {
	d := New(settings(), Device{Name: "d"})
	r := &recorder{}
	d.Online(0, r)
	every := 400 * time.Second
	for _, c := range []Change{{Interval: 10 * time.Second, Spread: 0.3}, {Interval: time.Hour, Defender: &every, Spread: 0.01}} {
		if err := d.Configure(time.Second, &c); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]time.Duration{true: 5 * time.Second, false: 4 * time.Second}[c.Defender != nil]; d.Wake() != want {
			t.Errorf("%+v: the next at %v, want %v", c, d.Wake(), want)
		}
	}
	if d.Tick(5*time.Second, r); d.Wake() != 37*time.Second {
		t.Errorf("the one after the report at %v", d.Wake())
	}
}

func TestLink(t *testing.T) {
	d := New(settings(), Device{Name: "s", Kind: Switch})
	r := &recorder{}
	d.Online(0, r)
	if err := d.Press(true, r); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("pressed without a target: %v", err)
	}
	if err := d.Link("b"); err != nil {
		t.Fatal(err)
	}
	if err := d.Press(true, r); err != nil || !strings.Contains(r.text.String(), `$aws/things/b/shadow/update {"state":{"desired":{"status":"on"}}}`) {
		t.Errorf("%v: %s", err, r.text.String())
	}
	if err := New(settings(), Device{Name: "b", Kind: Bulb}).Link("c"); err == nil {
		t.Error("a bulb is linked")
	}
}

// Telemetry of a switch without a target presses nothing.
func TestUnlinkedSwitch(t *testing.T) {
	d := New(settings(), Device{Name: "s", Kind: Switch, Seed: 3})
	if text := play(t, d, "0.5 online", time.Hour); strings.Contains(text, "desired") {
		t.Error(text)
	}
}

// The shadow is asked for so often, and not more.
func TestAskedOften(t *testing.T) {
	d := New(settings(), Device{Name: "d", Kind: Generic})
	r := &recorder{}
	d.Online(0, r)
	for i := range maxAsked + 1 {
		if err := d.AskShadow(r, func([]byte) {}); (err != nil) != (i == maxAsked) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := strings.Count(r.text.String(), "shadow/get"); n != maxAsked+1 { // and the one of Online
		t.Errorf("%d requests", n)
	}
}
