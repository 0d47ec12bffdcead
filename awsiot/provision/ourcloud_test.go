package provision

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	ours "pithings/awsiot/cloud"
	"pithings/awsiot/cloud/cloudtest"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// wire is a device's connection with our own cloud at a broker in memory. It loses the message that
// cut chooses, in either direction.
type wire struct {
	*linktest.Client
	n   atomic.Int32
	cut func(n int) bool
}

func (w *wire) Await(ctx context.Context, _ ...string) error { return ctx.Err() }
func (w *wire) Trouble() string                              { return "" }

func (w *wire) Publish(ctx context.Context, m mqttlink.Message) error {
	if w.cut(int(w.n.Add(1))) {
		return nil
	}
	return w.Client.Publish(ctx, m)
}

func (w *wire) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	return w.Client.SubscribeAll(filters, qos, func(ctx context.Context, m mqttlink.Message) {
		if !w.cut(int(w.n.Add(1))) {
			h(ctx, m)
		}
	})
}

// startCloud starts awsiot/cloud at a broker in memory.
func startCloud(t *testing.T) *linktest.Client {
	t.Helper()
	client := linktest.New()
	t.Cleanup(client.Close)
	o := cloudtest.Options()
	o.Client, o.Dir = client, t.TempDir()
	c, err := ours.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, c.Close()); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait() // it has subscribed
	return client
}

// Both sides of this project agree, whichever message is lost and wherever the device is killed.
func TestAgainstOurCloud(t *testing.T) {
	for _, awsKey := range []bool{false, true} {
		for _, kill := range []bool{false, true} {
			for n := range 5 { // 0: none
				t.Run(fmt.Sprintf("key of AWS %t, killed %t, message %d", awsKey, kill, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						client, state, claims := startCloud(t), t.TempDir(), claimFiles(t)
						ctx, stop := context.WithCancel(t.Context())
						defer stop()
						w := &wire{Client: client, cut: func(at int) bool {
							if at == n && kill {
								stop()
							}
							return at == n
						}}
						d, err := run(ctx, state, request1(claims, awsKey), realDisk{}, w)
						if kill && n > 0 {
							if err == nil {
								t.Fatal("it was not killed")
							}
							w.cut = func(int) bool { return false }
							d, err = run(t.Context(), state, request1(claims, awsKey), realDisk{}, w)
						}
						if err != nil {
							t.Fatal(err)
						}
						if d.Thing != "pi-7" {
							t.Errorf("%+v", d.About)
						}
						whole(t, state, d, claims)
					})
				})
			}
		}
	}
}

// Our cloud's refusals are understood: a hook, a template that is not there, a token that is over.
func TestRefusalsOfOurCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{Client: startCloud(t), cut: func(int) bool { return false }}
		for _, tt := range []struct {
			serial, template string
			status           int
		}{{"stolen", "fleet", 403}, {"7", "none", 404}} {
			r := request1(nil, false)
			r.Template, r.Parameters["SerialNumber"] = tt.template, tt.serial
			var refused *Rejected
			if _, err := run(t.Context(), t.TempDir(), r, realDisk{}, w); !errors.As(err, &refused) || refused.Status != tt.status {
				t.Errorf("%s: %v", tt.serial, err)
			}
		}
		state := t.TempDir()
		ctx, kill := context.WithCancel(t.Context())
		w.n.Store(0)
		w.cut = func(at int) bool {
			if at == 3 {
				kill()
			}
			return at == 3
		}
		if _, err := run(ctx, state, request1(nil, false), realDisk{}, w); err == nil {
			t.Fatal("it was not killed")
		}
		w.cut = func(int) bool { return false }
		before := len(w.Published(createFromCSR))
		time.Sleep(61 * time.Minute) // of the bubble's clock: the token lives for an hour
		d, err := run(t.Context(), state, request1(nil, false), realDisk{}, w)
		if err != nil || d.Thing != "pi-7" || len(w.Published(createFromCSR)) != before+1 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
