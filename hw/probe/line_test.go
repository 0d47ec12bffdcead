package probe

import (
	"strings"
	"testing"

	"pithings/hw"
	"pithings/hw/mock"
)

func TestOutputsAreLookedAtOnly(t *testing.T) {
	b := mock.New(mock.Options{})
	defer b.Close()
	p := New(b, nil)
	look := func(pin string) Result {
		t.Helper()
		r := p.Output("relay", pin)
		if len(r) != 1 || r[0].Part != "relay" {
			t.Fatalf("%s: %+v", pin, r)
		}
		return r[0]
	}
	if r := look("GPIO27"); r.Status != OK || r.Found != "GPIO27 on simulated-gpio, free" {
		t.Errorf("a free line: %+v", r)
	}
	out, err := b.OpenOutput("GPIO27", hw.OutputOpts{Start: hw.StartOn})
	if err != nil {
		t.Fatal(err)
	}
	if r := look("GPIO27"); r.Status != Fail || !strings.Contains(r.Problem, `in use by another program: "pithings" holds it`) || !strings.Contains(r.Fix, "stop that program") {
		t.Errorf("a line in use: %+v", r)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if r := look("GPIO27"); r.Status != OK || r.Found != "GPIO27 on simulated-gpio, free" {
		t.Errorf("a line that was left on: %+v", r)
	}
	if !b.Pin("GPIO27").Level() || len(b.Pin("GPIO27").Changes()) != 1 {
		t.Error("looking switched the output")
	}
	b.Pin("GPIO6").Hold("pithings@4711")
	if r := look("GPIO6"); r.Status != OK || r.Found != "GPIO6 is in use by the pithings that runs now (process 4711)" {
		t.Errorf("our own: %+v", r)
	}
	b.Pin("GPIO5").Unplug()
	if r := look("GPIO5"); r.Status != Fail || r.Fix == "" {
		t.Errorf("a line that is not there: %+v", r)
	}
}
