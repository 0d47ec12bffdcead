package faults

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent"
	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/things"
)

// lines counts those of a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count() int { return bytes.Count(l.b.Bytes(), []byte("\n")) }

// counted counts what its link has taken.
type counted struct {
	mqttlink.Client
	n atomic.Int64
}

func (c *counted) Publish(ctx context.Context, m mqttlink.Message) error {
	err := c.Client.Publish(ctx, m)
	if err == nil {
		c.n.Add(1)
	}
	return err
}

// A motion sensor and a weather sensor that run for an hour without a network
// write at most a hundred lines, and all that they said waits on the disk. What goes
// wrong otherwise in an hour is in mqttlink's TestLinesInAnHour.
func TestAnHourOffline(t *testing.T) {
	for _, tc := range []struct {
		name string
		dial func(ctx context.Context) error
	}{
		{"no listener", func(context.Context) error { return syscall.ECONNREFUSED }},
		{"no route", func(context.Context) error { return syscall.ENETUNREACH }},
		{"no answer", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var said lines
				log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelInfo}))
				// An hour of syncs every second would be real ones.
				box, err := outbox.Open(dir, outbox.DiskOptions{Interval: time.Minute, Log: log})
				if err != nil {
					t.Fatal(err)
				}
				o := mqttlink.DefaultOptions()
				o.Endpoint, o.Outbox, o.Log = "mqtt://192.0.2.1", box, log
				o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, tc.dial(ctx) }
				link, err := mqttlink.New(o)
				if err != nil {
					t.Fatal(err)
				}
				client := &counted{Client: link}
				board := mock.New(mock.Options{Motion: mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 3 * time.Second}})
				defer board.Close()
				var all []things.Thing
				for _, settings := range []things.Settings{&things.EnvironmentSettings{}, &things.MotionSettings{}} {
					conf.Fill(settings)
					name := "bme680"
					switch s := settings.(type) {
					case *things.EnvironmentSettings:
						s.Bus = "mock"
					case *things.MotionSettings:
						*s, name = things.MotionSettings{Pin: "mock", Publish: things.PublishBoth}, "TG_MS"
					}
					thing, err := settings.Open(things.Options{Thing: name}, things.Env{Board: board, Link: client, Log: log})
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, thing)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var work sync.WaitGroup
				work.Go(func() { _ = link.Run(ctx) })
				for _, thing := range all {
					work.Go(func() { agent.RunOne(ctx, thing, log) })
				}
				work.Wait()
				if n := said.count(); n > 100 {
					t.Errorf("%d lines in an hour:\n%s", n, said.b.String())
				} else {
					t.Logf("%d lines", n)
				}
				// Five readings every 3 s, two edges every 10 s.
				if n := client.n.Load(); n < 6600 || box.Len() != int(n) {
					t.Errorf("%d messages were published, %d wait", n, box.Len())
				}
				if err := box.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
