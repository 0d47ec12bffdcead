package things

import (
	"context"
	"slices"
	"testing"
	"time"

	"pithings/conf"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/pulse"
)

// A thing of any kind whose loop hangs is found, and one that works or waits is not.
func TestAStuckThingIsFound(t *testing.T) {
	for _, k := range Kinds() {
		for name, hangs := range map[string]bool{"works": false, "hangs": true} {
			t.Run(k.Name+" "+name, func(t *testing.T) {
				onBench(t, mock.Options{Motion: mock.Motion{First: 10 * time.Second, Every: 8 * time.Second, Width: 3 * time.Second}}, func(b *bench) {
					env := b.env(quiet)
					env.Pulse, env.Self = pulse.New(), func() Self { return Self{} }
					s := k.New()
					conf.Fill(s)
					s.Simulate()
					thing := b.in(env, Options{Thing: "x"}, s)
					ctx, cancel := context.WithCancel(b.Context())
					ended, loosen := make(chan struct{}), make(chan struct{})
					go func() {
						defer close(ended)
						_ = thing.Run(ctx, func(error) { // which every thing calls in its loop
							if hangs {
								<-loosen
							}
						})
					}()
					for range 20 {
						time.Sleep(time.Minute)
						stuck := env.Pulse.Stuck(3 * time.Minute)
						if !hangs && len(stuck) > 0 {
							t.Errorf("stuck are %q", stuck)
						}
					}
					if stuck := env.Pulse.Stuck(3 * time.Minute); hangs && !slices.Contains(stuck, "thing x") {
						t.Errorf("stuck are %q, want thing x", stuck)
					}
					close(loosen)
					cancel()
					<-ended
					if left := env.Pulse.String(); left != "" {
						t.Errorf("at the end there are the loops\n%s", left)
					}
				})
			})
		}
	}
}

// slowDisk is a link whose outbox is on a disk that takes its time for each message.
type slowDisk struct{ mqttlink.Client }

func (l slowDisk) Publish(ctx context.Context, m mqttlink.Message) error {
	time.Sleep(time.Minute)
	return l.Client.Publish(ctx, m)
}

// A thing of any kind that has much to publish, on a disk that takes a minute for each message,
// is not stuck.
func TestAThingOnASlowDiskIsNotStuck(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			onBench(t, mock.Options{Motion: mock.Motion{First: 10 * time.Second, Every: 8 * time.Second, Width: 3 * time.Second}}, func(b *bench) {
				env := b.env(quiet)
				env.Pulse, env.Self = pulse.New(), func() Self { return Self{} }
				env.Link = slowDisk{env.Link}
				s := k.New()
				conf.Fill(s)
				s.Simulate()
				thing := b.in(env, Options{Thing: "x"}, s)
				stop := b.run(thing)
				for range 60 {
					for range 5 { // an output has much to report then
						_, _ = thing.Call(b.Context(), "set", map[string]any{"state": "toggle"})
					}
					time.Sleep(time.Minute)
					if stuck := env.Pulse.Stuck(3 * time.Minute); len(stuck) > 0 {
						t.Errorf("stuck are %q", stuck)
						break
					}
				}
				stop()
			})
		})
	}
}
