package jobs

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/awsiot/internal/scheduletest"
)

// world is a device, the cloud, and a network between them that loses, repeats and reorders.
// The device may be killed at any time; what its handlers had saved remains.
type world struct {
	m    *Machine
	c    *cloud
	now  time.Time
	up   []packet
	down []packet
	on   bool
	runs int
	ids  int

	bare    bool // the cloud has refused a request as a whole: a result may be there without details
	working *Execution
	details map[string]string // reported of the job that is being worked at
	results map[key]result    // as they were saved
	begun   map[key]int       // the run in which a job was begun last
	tokens  map[string]bool
	err     error
}

type result struct {
	status  Status
	details map[string]string
}

func newWorld() *world {
	w := &world{c: &cloud{}, now: time.Unix(1e9, 0), results: map[key]result{}, begun: map[key]int{}, tokens: map[string]bool{}}
	w.boot()
	return w
}

// boot begins a new run, which knows what was saved.
func (w *world) boot() {
	w.runs++
	w.m = NewMachine(Config{Thing: "pi", Session: fmt.Sprint("run", w.runs)})
	w.working, w.details, w.on = nil, nil, false
	w.down = nil
}

func (w *world) event(e uint64) {
	kind, n := e%24, e>>8
	pick := func(list []packet) int { return int(n % uint64(max(1, len(list)))) }
	switch {
	case kind < 5 && len(w.up) > 0: // in order
		w.arrives(0)
	case kind < 10 && len(w.down) > 0:
		w.receives(0)
	case kind == 10 && len(w.up) > 0: // out of order
		w.arrives(pick(w.up))
	case kind == 11 && len(w.down) > 0:
		w.receives(pick(w.down))
	case kind == 12 && len(w.up) > 0: // lost
		w.up = remove(w.up, pick(w.up))
	case kind == 13 && len(w.down) > 0:
		w.down = remove(w.down, pick(w.down))
	case kind == 14 && len(w.up) > 0: // twice
		w.up = append(w.up, w.up[pick(w.up)])
	case kind == 15 && len(w.down) > 0:
		w.down = append(w.down, w.down[pick(w.down)])
	case kind == 16 && len(w.c.execs) < 6:
		w.ids++
		w.broadcast(w.c.queue(fmt.Sprint("job", (w.ids+1)/2), int64(w.ids), `{"action":"a"}`))
	case kind == 17 && len(w.c.execs) > 0:
		w.broadcast(w.c.end(w.c.execs[n%uint64(len(w.c.execs))], []Status{Canceled, TimedOut, Removed}[n>>4%3]))
	case kind == 18:
		w.now = w.now.Add(time.Duration(n%3000) * time.Millisecond)
	case kind == 19:
		w.now = w.now.Add(time.Duration(n%600) * time.Second)
	case kind == 20:
		w.connect(!w.on)
	case kind == 21 && n%3 == 0:
		w.c.refuse = []string{"RequestThrottled", "InternalError", "InvalidRequest", "VersionMismatch"}[n>>4%4]
		w.bare = w.bare || n>>4%4 == 2
	case kind == 21 && n%3 == 1:
		w.c.mute = !w.c.mute
	case kind == 22 && n%4 == 1: // an answer for another client, or none that is
		answers := []string{"start-next/accepted", "job1/get/accepted", "job1/update/accepted", "job1/update/rejected"}
		w.broadcast([]packet{{base + answers[n>>4%4], `{"code":"ResourceNotFound","clientToken":"another"}`}})
	case kind == 22 && n%4 == 0: // killed
		w.boot()
	case kind == 22, kind == 21:
		if w.working != nil {
			w.details = maps.Clone(w.details)
			if w.details == nil {
				w.details = map[string]string{}
			}
			w.details["step"] = fmt.Sprint(n % 5)
			w.m.Progress(w.working.JobID, w.working.Number, map[string]string{"step": w.details["step"]})
		}
	case kind == 23:
		w.finish([]Status{Succeeded, Failed, Rejected}[n%3])
	}
	w.pump()
}

func remove(list []packet, at int) []packet {
	return append(append([]packet(nil), list[:at]...), list[at+1:]...)
}

func (w *world) broadcast(ps []packet) {
	if w.on {
		w.down = append(w.down, ps...)
	}
}

func (w *world) arrives(at int) {
	p := w.up[at]
	w.up = remove(w.up, at)
	w.broadcast(w.c.serve(p))
}

func (w *world) receives(at int) {
	p := w.down[at]
	w.down = remove(w.down, at)
	if err := w.m.Receive(w.now, p.topic, []byte(p.payload)); err != nil {
		w.err = fmt.Errorf("%s: %w", p.payload, err)
	}
	for _, e := range w.m.Events() {
		w.happens(e)
	}
}

// happens does what a Service does.
func (w *world) happens(e Event) {
	k := e.key()
	if e.Over {
		if w.working != nil && w.working.key() == k {
			w.working = nil
		}
		if _, had := w.results[k]; e.Reported && !had {
			w.err = fmt.Errorf("%v is over by a result that there never was", k)
		}
		return
	}
	if w.working != nil {
		w.err = fmt.Errorf("%v starts before %v is over", k, w.working.key())
	}
	if r, done := w.results[k]; done {
		w.m.Finish(e.JobID, e.Number, r.status, r.details)
		return
	}
	x := e.Execution
	w.working, w.details = &x, x.Details
	if w.begun[k] == w.runs {
		w.err = fmt.Errorf("%v is begun twice", k)
	}
	w.begun[k] = w.runs
}

// finish saves a result, and reports it.
func (w *world) finish(status Status) {
	if w.working == nil {
		return
	}
	w.details = maps.Clone(w.details)
	if w.details == nil {
		w.details = map[string]string{}
	}
	w.details["end"] = "x"
	w.results[w.working.key()] = result{status, w.details}
	w.m.Finish(w.working.JobID, w.working.Number, status, w.details)
	w.working = nil
}

func (w *world) connect(on bool) {
	if w.on = on; on {
		w.m.Online(w.now)
	} else {
		w.m.Offline(w.now)
		w.down = nil
	}
}

func (w *world) pump() {
	for n := 0; ; n++ {
		r := w.m.Next(w.now)
		if r == nil {
			return
		}
		var in struct{ ClientToken string }
		if err := jsonvalue.Decode(r.Payload, &in); err != nil || n > 0 || w.tokens[in.ClientToken] || len(in.ClientToken) > 64 || r.Expiry <= 0 {
			w.err = fmt.Errorf("request %d at once: %s %s, %v", n, r.Topic, r.Payload, err)
			return
		}
		w.tokens[in.ClientToken] = true
		w.up = append(w.up, packet{r.Topic, string(r.Payload)})
	}
}

// settle lets the network work without a fault, and the handlers succeed, until all is quiet.
func (w *world) settle() error {
	w.c.refuse = ""
	for quiet := false; ; quiet = true {
		for w.pump(); len(w.up)+len(w.down) > 0; w.pump() {
			if len(w.up) > 0 {
				w.arrives(0)
			} else {
				w.receives(0)
			}
		}
		wake := w.m.Wake()
		if wake.IsZero() || quiet && wake.Sub(w.now) > 3*time.Minute { // a renewal
			break
		}
		w.now = later(w.now, wake)
	}
	if w.working != nil { // a job that is over in the cloud has been stopped
		if e := w.c.find(w.working.JobID, w.working.Number); e == nil || e.Status.Final() {
			return fmt.Errorf("%v is still worked at, and is %+v", w.working.key(), e)
		}
	}
	for range 3000 {
		for w.pump(); len(w.up)+len(w.down) > 0; w.pump() {
			if len(w.up) > 0 {
				w.arrives(0)
			} else {
				w.receives(0)
			}
		}
		w.finish(Succeeded)
		wake := w.m.Wake()
		if w.err != nil || wake.IsZero() {
			break
		}
		w.now = w.now.Add(max(0, wake.Sub(w.now)))
	}
	if w.err != nil {
		return w.err
	}
	if w.m.job != nil || w.m.problem != "" {
		return fmt.Errorf("the device still has %+v, %s", w.m.job, w.m.problem)
	}
	for _, e := range w.c.execs {
		r, done := w.results[key{e.JobID, e.Number}]
		switch e.Status {
		case Queued, InProgress:
			return fmt.Errorf("%s is %s at the end", e.JobID, e.Status)
		case Succeeded, Failed, Rejected:
			if !done || r.status != e.Status || !w.bare && text(r.details) != text(e.Details) {
				return fmt.Errorf("%s is %s %v, its result was %+v", e.JobID, e.Status, e.Details, r)
			}
		}
	}
	return nil
}

func play(events []uint64) error {
	w := newWorld()
	for _, e := range events {
		if w.event(e); w.err != nil {
			return w.err
		}
	}
	w.connect(false)
	w.connect(true)
	w.up = nil
	return w.settle()
}

// A message may be lost and the connection last: then requests without an answer are repeated.
// Only a lost notify-next with no job under way needs a new connection, or another notify-next.
func playPatience(events []uint64) error {
	w := newWorld()
	w.connect(true)
	for _, e := range events {
		if k := e % 24; k == 20 || k == 22 && e>>8%4 == 0 {
			continue
		}
		if w.event(e); w.err != nil {
			return w.err
		}
	}
	w.up, w.down = nil, nil
	w.broadcast(w.c.queue("last", 99, `{"action":"a"}`))
	if len(w.down) == 0 { // another one is the first already
		w.down = []packet{{base + "notify-next", text(map[string]any{"execution": w.c.first()})}}
	}
	if w.m.job == nil && w.c.first() == nil {
		return errors.New("no job is queued")
	}
	return w.settle()
}

// Whatever the network does, and whenever the device is killed: after a new connection every
// job is over, with the result that its handler gave; a job that has a result is not begun again;
// and one job is worked at at a time.
func TestJobsEnd(t *testing.T) { scheduletest.Run(t, schedules(), 150, play) }

// The same with no new connection and no kill.
func TestJobsEndWithoutANewConnection(t *testing.T) {
	scheduletest.Run(t, schedules(), 150, playPatience)
}

func schedules() int {
	if testing.Short() {
		return 1000
	}
	return 2000
}
