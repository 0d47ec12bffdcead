package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// device is a Pi that is killed at one moment of a conversation: before or after a message or
// a save.
type device struct {
	*linktest.Client // of the present run
	mu               sync.Mutex
	c                *cloud
	saved            Saved
	dead             bool
	died             chan struct{}
	moments, at      int  // so many have been; at which it dies
	power            bool // its power is cut, else the process is killed
	boots, runs      int
	reboots, again   int
	err              error
}

// moment is one at which the device may die.
func (d *device) moment() {
	if d.moments++; d.moments == d.at {
		d.die(d.power)
	}
}

func (d *device) die(machine bool) {
	if d.dead {
		return
	}
	if d.dead = true; machine {
		d.boots++
	}
	close(d.died)
}

// Publish hands a message to the cloud, and its answers to the device.
func (d *device) Publish(_ context.Context, m mqttlink.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moment()
	if d.dead {
		return mqttlink.ErrEnded
	}
	answers := d.c.serve(packet{m.Topic, string(m.Payload)})
	for _, a := range answers {
		if d.moment(); !d.dead {
			if err := d.Inject(mqttlink.Message{Topic: a.topic, Payload: []byte(a.payload)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Load implements Store.
func (d *device) Load() (Saved, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.saved, nil
}

// Save implements Store.
func (d *device) Save(s Saved) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moment()
	if d.dead {
		return mqttlink.ErrEnded
	}
	d.saved = Saved{}
	err := json.Unmarshal(jsonvalue.Encode(s), &d.saved)
	d.moment()
	return err
}

// count is the handler of a job with three steps, each of which it does once.
func (d *device) count(_ context.Context, j *Job) Result {
	if saved, _ := d.Load(); saved.JobID == j.ID && saved.Result != nil {
		d.err = fmt.Errorf("%s is done again although there is a result", j.ID)
	}
	var done int
	if j.Data != nil {
		if err := json.Unmarshal(j.Data, &done); err != nil {
			d.err = err
		}
	}
	for done < 3 {
		done++
		if j.Save(done) != nil {
			return Result{} // it is dead
		}
		j.Progress(map[string]string{"done": fmt.Sprint(done)})
	}
	return Done(map[string]string{"done": fmt.Sprint(done)})
}

func (d *device) reboot(context.Context, *Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moment(); !d.dead {
		d.reboots++
		d.die(true)
	}
	return nil
}

func (d *device) restart(context.Context, *Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moment(); !d.dead {
		d.again++
		d.die(false)
	}
	return nil
}

// run is one run of the agent, which ends when the device dies or all is done.
func (d *device) run(ctx context.Context) error {
	d.runs++
	d.Client, d.dead, d.died = linktest.New(), false, make(chan struct{})
	defer d.Client.Close()
	s, err := New(Options{
		Link: d, Thing: "pi", Store: d, Now: Mark{fmt.Sprint("boot-", d.boots), fmt.Sprint("run-", d.runs)},
		Handlers: map[string]Handler{"count": d.count, "reboot": AcrossBoots(d.reboot), "restart": AcrossRuns(d.restart)},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	s.Online(true)
	died := d.died
	select {
	case <-died:
	case <-time.After(time.Hour):
	}
	d.mu.Lock()
	d.die(false) // what the end of this run does is of no account
	d.mu.Unlock()
	stop()
	return <-ended
}

// A device that dies between any two messages, or between any two saves, does its jobs all the
// same: each step once, one reboot and not two, and the cloud has every result.
func TestKilledAtAnyMoment(t *testing.T) {
	for _, power := range []bool{false, true} {
		last := 0
		for at := 1; at == 1 || at <= last; at++ {
			synctest.Test(t, func(t *testing.T) {
				d := &device{c: &cloud{}, at: at, power: power}
				d.c.queue("c1", 1, `{"action":"count"}`)
				d.c.queue("b1", 1, `{"operation":"reboot"}`)
				d.c.queue("r1", 1, `{"action":"restart"}`)
				d.c.queue("c2", 1, `{"action":"count"}`)
				for range 8 {
					if err := d.run(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				last = max(last, d.moments)
				for _, e := range d.c.execs {
					if e.Status != Succeeded {
						t.Errorf("power cut %v, killed at moment %d: %s is %s %v", power, at, e.JobID, e.Status, e.Details)
					}
					if e.JobID[0] == 'c' && e.Details["done"] != "3" {
						t.Errorf("power cut %v, killed at moment %d: %s has %v", power, at, e.JobID, e.Details)
					}
				}
				if d.err != nil || d.reboots > 1 || d.again > 1 || !power && d.reboots != 1 {
					t.Errorf("power cut %v, killed at moment %d: %d reboots, %d restarts, %v", power, at, d.reboots, d.again, d.err)
				}
			})
		}
		if last < 60 {
			t.Errorf("only %d moments", last)
		}
		t.Logf("power cut %v: %d moments", power, last)
	}
}
