package playground

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A device that is driven publishes by Start and Sample, and nothing by itself.
func TestDriven(t *testing.T) {
	d := New(settings(), Device{Name: "dev-0001", Kind: Generic, Seed: 1, Driven: true})
	r := &recorder{}
	d.Online(0, r)
	if d.Wake() != 300*time.Second {
		t.Errorf("it wants to be called at %v; the Defender report is due at 5m", d.Wake())
	}
	if d.Tick(time.Hour, r); strings.Contains(r.text.String(), "/temp") || strings.Contains(r.text.String(), "/event") {
		t.Errorf("it publishes by itself:\n%s", r.text.String())
	}
	if err := d.Configure(0, &Change{Interval: time.Second}); err == nil {
		t.Error("its interval is changed")
	}
	r = &recorder{}
	d.Start(r)
	for _, f := range []Fault{Sound, Malformed, WrongTopic, Stuck, Stuck, Sound} {
		d.Sample(f, 0, r)
	}
	const want = `    0.0s  cmd/dev-0001/event {"device":"dev-0001","ip":"192.0.2.7"}
    0.0s  dt/ac/company1/area1/dev-0001/temp {"temp": 30}
    0.0s  dt/ac/company1/area1/dev-0001/temp {"temp": 31
    0.0s  invalid-topic-for-error {"auth":"error"}
    0.0s  dt/ac/company1/area1/dev-0001/temp {"temp": 30}
    0.0s  dt/ac/company1/area1/dev-0001/temp {"temp": 30}
    0.0s  dt/ac/company1/area1/dev-0001/temp {"temp": 30}
`
	if got := r.text.String(); got != want {
		t.Errorf("%s", got)
	}
	if New(settings(), Device{Name: "d", Kind: Telemetry, Driven: true}).Wake() != Never {
		t.Error("one without services wants to be called")
	}
}

// A payload is padded to its size and stays JSON.
func TestPad(t *testing.T) {
	for _, size := range []int{1, 20, 40, 1024, 200 << 10} {
		b := pad([]byte(`{"temp": 30}`), size)
		var v struct{ Temp int }
		if err := json.Unmarshal(b, &v); err != nil || v.Temp != 30 || size >= 40 && len(b) != size {
			t.Errorf("%d bytes for %d: %v", len(b), size, err)
		}
	}
	if got := string(pad([]byte("{}"), 100)); got != "{}" {
		t.Errorf("%s", got)
	}
}
