package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudside "pithings/awsiot/cloud"
	"pithings/awsiot/internal/scheduletest"
	"pithings/mqttlink/linktest"
)

// The device and our cloud side, with a bad network between them and a device that is killed now
// and then: at the end every job is over, and those that were not cancelled are done.
func TestTogetherWithTheCloud(t *testing.T) {
	rounds := 16
	if testing.Short() {
		rounds = 8
	}
	for seed := range uint64(rounds) {
		synctest.Test(t, func(t *testing.T) { together(t, seed) })
	}
}

// pi is a device that can be killed.
type pi struct {
	t    *testing.T
	link *linktest.Client
	seed uint64
	runs uint64

	store *memory
	net   *scheduletest.Network
	s     *Service
	stop  func()
	done  sync.Map // jobs that a handler has done
}

func (p *pi) start() {
	p.runs++
	p.net = scheduletest.NewNetwork(p.link, p.seed<<8+p.runs)
	store := p.store
	step := func(ctx context.Context, j *Job) Result {
		if saved, _ := store.Load(); saved.JobID == j.ID && saved.Result != nil {
			p.t.Errorf("seed %d: %s is done again although there is a result", p.seed, j.ID)
		}
		for n := range 3 {
			j.Progress(map[string]string{"step": fmt.Sprint(n)})
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
				return Fail("interrupted")
			}
		}
		p.done.Store(j.ID, true)
		return Done(nil)
	}
	s, err := New(Options{Link: p.net, Thing: "pi", Store: p.store, Now: Mark{Boot: "b", Run: fmt.Sprint(p.runs)}, Handlers: map[string]Handler{
		"step":    step,
		"restart": AcrossRuns(func(context.Context, *Job) error { return nil }),
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	synctest.Wait()
	s.Online(true)
	p.s, p.stop = s, func() {
		cancel()
		p.net.Close()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	}
}

func (p *pi) kill() {
	kept := p.store.cut()
	p.stop()
	p.store = kept
	p.start()
}

func together(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	link := linktest.New()
	defer link.Close()
	c, err := cloudside.New(cloudside.Options{Client: link})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	synctest.Wait()
	p := &pi{t: t, link: link, seed: seed, store: &memory{}}
	p.start()
	canceled := map[string]bool{}
	jobs := 0
	for range 40 {
		switch n := r.IntN(8); {
		case n < 2 && jobs < 8:
			jobs++
			document := []string{`{"action":"step"}`, `{"operation":"step"}`, `{"action":"restart"}`}[r.IntN(3)]
			if err := c.CreateJob(ctx, cloudside.Job{ID: fmt.Sprint("j", jobs), Document: json.RawMessage(document), Things: []string{"pi"}}); err != nil {
				t.Fatal(err)
			}
		case n == 2 && jobs > 0:
			id := fmt.Sprint("j", 1+r.IntN(jobs))
			if n, err := c.CancelJob(ctx, id, true); err != nil {
				t.Fatal(err)
			} else if n > 0 {
				canceled[id] = true
			}
		case n == 3:
			p.s.Online(r.IntN(2) == 0)
		case n == 4 && r.IntN(2) == 0:
			p.kill()
		default:
			time.Sleep(time.Duration(r.IntN(15_000)) * time.Millisecond)
		}
	}
	p.net.Calm(true)
	time.Sleep(5 * time.Second) // what is late arrives
	for range 4 {               // a job that starts the agent anew needs that
		p.kill()
		p.net.Calm(true)
		time.Sleep(3 * time.Minute)
	}
	all := c.Executions("pi")
	if len(all) != jobs {
		t.Errorf("seed %d: %d executions of %d jobs", seed, len(all), jobs)
	}
	for _, e := range all {
		_, done := p.done.Load(e.Job)
		switch {
		case canceled[e.Job] && e.Status == string(Canceled):
		case e.Status == string(Succeeded) && (done || e.Details["run"] != ""):
		case e.Status == string(Failed) && e.Details["run"] != "": // no end of the agent came within five minutes
		default:
			t.Errorf("seed %d: %+v, done %v; the device is %+v", seed, e, done, p.s.Status())
		}
	}
	if st := p.s.Status(); st.Job != "" || st.Problem != "" {
		t.Errorf("seed %d: %+v", seed, st)
	}
	p.stop()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
