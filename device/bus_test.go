package device_test

import (
	"slices"
	"sync"
	"testing"

	"pithings/device"
)

func TestBus(t *testing.T) {
	var b device.Bus
	var got []string
	subscribe := func(name, thing, event string) func() {
		return b.Subscribe(thing, event, func(e device.Event) { got = append(got, name+" "+e.Thing+" "+e.Name) })
	}
	emit := func(want ...string) {
		t.Helper()
		got = nil
		b.Emit(device.Event{Thing: "door", Name: "opened"})
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if b.Wanted("door", "opened") != (len(want) > 0) {
			t.Errorf("Wanted says %v", len(want) == 0)
		}
	}
	emit()
	subscribe("other", "door", "closed")
	emit()
	all := subscribe("all", "", "")
	emit("all door opened")
	thing := subscribe("thing", "door", "")
	event := subscribe("event", "", "opened")
	one := subscribe("one", "door", "opened")
	emit("one door opened", "thing door opened", "event door opened", "all door opened")
	thing()
	thing()
	one()
	emit("event door opened", "all door opened")
	all()
	event()
	emit()
}

// A receiver may stop itself and others while it is called.
func TestBusIsChangedByReceivers(t *testing.T) {
	var b device.Bus
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 100 {
				stop := b.Subscribe("door", "opened", func(device.Event) { b.Subscribe("door", "", func(device.Event) {})() })
				b.Emit(device.Event{Thing: "door", Name: "opened"})
				stop()
			}
		})
	}
	wait.Wait()
	if b.Wanted("door", "opened") {
		t.Error("a subscription is left")
	}
}
