package things

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/sensors/kernel"
)

// A driver that does not answer is waited for once, however long that takes: each goroutine
// in a read holds a thread.
func TestKernelSensorThatHangs(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		k := b.board.Kernel()
		thing := b.open("power", Options{}, &KernelSettings{Device: "mock:ina219", Interval: seconds(10)}, quiet)
		defer b.run(thing)()
		before := runtime.NumGoroutine()
		k.Hang("ina219", "curr1_input", true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 1 {
			t.Errorf("%d goroutines wait for the driver", n)
		}
		if err := b.last(); !errors.Is(err, kernel.ErrHangs) {
			t.Error(err)
		}
		k.Hang("ina219", "curr1_input", false)
		time.Sleep(20 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("it answers: %v", err)
		}
	})
}

// A file that hangs while the sensor is looked up is a failed reading, too, and does not keep
// the program from ending.
func TestKernelSensorThatHangsAtTheStart(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		k := b.board.Kernel()
		k.Hang("ds18b20", "name", true) // of another sensor
		stop := b.run(b.open("power", Options{}, &KernelSettings{Device: "mock:ina219", Interval: seconds(10)}, quiet))
		before := runtime.NumGoroutine()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 0 {
			t.Errorf("%d more goroutines wait", n)
		}
		if err := b.last(); !errors.Is(err, kernel.ErrHangs) {
			t.Error(err)
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the end took %v", took)
		}
		again := b.run(b.open("power", Options{}, &KernelSettings{Device: "mock:ina219", Interval: seconds(10)}, quiet))
		k.Hang("ds18b20", "name", false)
		time.Sleep(20 * time.Second)
		if err := b.last(); err != nil {
			t.Errorf("it answers: %v", err)
		}
		again()
	})
}

// A panic while a sensor is looked up is that of Run, whose caller contains it.
func TestPanicOfAnOpenIsTheCallers(t *testing.T) {
	open := patient(func() (gauge, error) { panic("no such folder") })
	for range 2 {
		got := func() (p any) {
			defer func() { p = recover() }()
			open(t.Context())
			return nil
		}()
		if text, _ := got.(string); !strings.Contains(text, "no such folder") {
			t.Errorf("%v", got)
		}
	}
}

// busy is a link whose messages wait for their acknowledgement for a moment.
type busy struct {
	mqttlink.Client
	last time.Time
}

func (l *busy) Publish(ctx context.Context, m mqttlink.Message) error {
	l.last = time.Now()
	return l.Client.Publish(ctx, m)
}

// The readings that a computer has just published are no change of its status.
func TestStatusCountsNoReadingUnderWay(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		link := &busy{Client: b.link}
		self := func() Self {
			if time.Since(link.last) < 100*time.Millisecond {
				return Self{Version: "1.2.3", Queued: 7}
			}
			return Self{Version: "1.2.3"}
		}
		s := &HostSettings{Status: true, Interval: seconds(60)}
		thing, err := s.Open(Options{Thing: "pi"}, Env{Board: b.board, Link: link, Log: quiet, Self: self})
		if err != nil {
			t.Fatal(err)
		}
		stop := b.run(thing)
		time.Sleep(10 * time.Minute)
		stop()
		if m := b.link.Published("pi/status"); len(m) != 1 || !strings.Contains(string(m[0].Payload), `"queued":0`) {
			t.Errorf("%+v", m)
		}
	})
}
