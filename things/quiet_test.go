package things

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/quietlog"
)

// TestPartThatComesAndGoesIsReportedOnce: "sensor found" was logged at every attempt
// to open it.
func TestPartThatComesAndGoesIsReportedOnce(t *testing.T) {
	for _, c := range []struct {
		line string
		make func(b *bench, log *slog.Logger) Thing
		away func(b *bench, away bool)
	}{
		{"sensor found", func(b *bench, log *slog.Logger) Thing {
			return b.open("bme680", Options{}, &EnvironmentSettings{}, log)
		}, func(b *bench, away bool) {
			n := 0
			if away {
				n = -1
			}
			b.board.Bus("1").NACK(n)
		}},
		{"sensor is ready", func(b *bench, log *slog.Logger) Thing {
			return b.open("TG_MS", Options{}, &MotionSettings{Pin: "GPIO17", WarmUp: seconds(5)}, log)
		}, func(b *bench, away bool) { unplug(b.board.Pin("GPIO17"), away) }},
		{"screen is ready", func(b *bench, log *slog.Logger) Thing {
			return b.open("TG_Screen", Options{}, &ScreenSettings{}, log)
		}, func(b *bench, away bool) { unplug(b.board.Framebuffer("/dev/fb0"), away) }},
	} {
		t.Run(c.line, func(t *testing.T) {
			onBench(t, mock.Options{}, func(b *bench) {
				var logged bytes.Buffer
				thing := c.make(b, slog.New(slog.NewTextHandler(&logged, nil)))
				stop := b.run(thing)
				for range 10 {
					time.Sleep(20 * time.Second)
					c.away(b, true)
					time.Sleep(20 * time.Second)
					if b.last() == nil {
						t.Error("it is not away")
					}
					c.away(b, false)
				}
				time.Sleep(20 * time.Second)
				if err := b.last(); err != nil {
					t.Error(err)
				}
				stop()
				if n := strings.Count(logged.String(), c.line); n != 1 {
					t.Errorf("%q %d times:\n%s", c.line, n, &logged)
				}
			})
		})
	}
}

func unplug(part interface {
	Unplug()
	Replug()
}, away bool) {
	if away {
		part.Unplug()
	} else {
		part.Replug()
	}
}

// TestFailingCommandsAreLimited: display commands that fail wrote 74,252 lines in 12 s.
func TestFailingCommandsAreLimited(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		var logged bytes.Buffer
		log, end := quietlog.Limit(slog.New(slog.NewTextHandler(&logged, nil)))
		stop := b.run(b.open("TG_Screen", Options{}, &ScreenSettings{}, log))
		for i := range 12_000 { // in 12 s
			payload := [...]string{`{"imageUri": "file:///etc/passwd"}`, `picture`, fmt.Sprintf(`{"imageUri": "x%d:"}`, i)}[i%3]
			if err := b.link.Inject(mqttlink.Message{Topic: "TG_Screen/display", Payload: []byte(payload), QoS: 1}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		stop()
		end()
		if n := strings.Count(logged.String(), "\n"); n > 100 {
			t.Errorf("%d lines", n)
		}
	})
}
