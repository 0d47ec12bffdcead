package flowhost

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"pithings/mqttlink/linktest"
	"pithings/things"
)

// BenchmarkManyFlows deploys flows that are deployed already in the folder, as an
// agent does when it starts: all use the same camera and screen, and wait for the same
// event, for a condition that lasts, or for a time of the day.
func BenchmarkManyFlows(b *testing.B) {
	const trigger = "trigger: {thing: motionSensor, event: StateChanged, when: event.isMotionDetected}"
	for name, of := range map[string]string{
		"event": trigger,
		"for":   strings.Replace(trigger, "}", ", for: 5m}", 1),
		"at":    `trigger: {at: "07:00"}`,
	} {
		b.Run(name, func(b *testing.B) { manyFlows(b, strings.Replace(hall, trigger, of, 1)) })
	}
}

func manyFlows(b *testing.B, hall string) {
	const flows = 1000
	link := linktest.New()
	defer link.Close()
	dir := b.TempDir()
	parts := Parts{State: dir, Link: link, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Things: map[string]Thing{
		"TG_MS": {Device: &fake{}, Looks: things.KindOf("motion").Usually()}, "TG_Camera": {Device: &fake{}, Looks: things.KindOf("camera").Usually()}, "TG_Screen": {Device: &fake{}, Looks: things.KindOf("screen").Usually()}}}
	f, err := Open(parts)
	if err != nil {
		b.Fatal(err)
	}
	for i := range flows {
		if _, err := f.Deploy(b.Context(), deployment(strings.Replace(hall, "name: Hall", fmt.Sprint("name: Hall", i), 1), Options{})); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := Open(parts)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Run(); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/flows, "B/flow")
		if n := len(f.Stats()); n != flows {
			b.Fatalf("%d flows are in force", n)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/flows, "µs/flow")
}
