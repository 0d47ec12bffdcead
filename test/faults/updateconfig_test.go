//go:build faults && linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/mqttlink"
	settings "pithings/spool/accepted"
	"pithings/test/binary"
	"pithings/test/faults/ledger"
)

// Agents that are configured at the same time, and at how many of the messages around an update
// its fault may be.
const (
	configured    = 5
	faultPlaces   = 14
	trialTime     = 15 * time.Second
	fleetPatience = 2 * time.Minute // for a job, with broker and agent away in between
)

// TestUpdateConfig has jobs change the configuration of agents under load, each time with a
// fault between two of the messages: the connection is cut, the broker is restarted, or the
// agent is killed. Every job ends as it should, its settings are in effect, and nothing that
// was safe is lost. At the end each gets one with which it does not connect: that is taken back.
func TestUpdateConfig(t *testing.T) {
	t.Parallel()
	random := seeded(t)
	port := freePort(t)
	m := newMosquitto(t, nil, "queue_qos0_messages true", fmt.Sprintf("listener %d 127.0.0.1", port))
	m.up(t)
	clients := map[string]*client{}
	for i := range configured {
		clients[fmt.Sprintf("lines/pi%d", i)] = newClient()
	}
	watch(t, m, "watcher", func(topic string, payload []byte) {
		c := clients[topic]
		if c == nil {
			return // readings
		}
		n, err := number(payload)
		if err != nil {
			t.Errorf("%s: %v", topic, err)
		}
		c.hasArrived(topic, n)
	})
	u := &updates{t: t, m: m, addr: fmt.Sprintf("127.0.0.1:%d", port), faults: map[string]int{}}
	u.cloud = u.serve()
	var all sync.WaitGroup
	want := map[string]int{}
	for i := range configured {
		one := rand.New(rand.NewPCG(random.Uint64(), uint64(i)))
		name := fmt.Sprintf("pi%d", i)
		kinds := faultsOf(i)
		for _, kind := range kinds {
			want[kind]++
		}
		one.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		all.Go(func() { u.device(name, one, kinds, clients["lines/"+name]) })
	}
	all.Wait()
	t.Logf("faults: %v", u.faults)
	if !maps.Equal(u.faults, want) {
		t.Errorf("want %v", want)
	}
}

// The faults.
const (
	cutLost, cutDelivered = "cut before a message", "cut behind a message"
	agentKilled           = "agent killed"
	brokerRestarts        = "broker restarted" // of all devices
)

// faultsOf are those that the i-th agent meets, each in an update of its own.
func faultsOf(i int) (kinds []string) {
	for range 3 {
		kinds = append(kinds, cutLost, cutDelivered, agentKilled)
	}
	if i < 2 {
		kinds = append(kinds, brokerRestarts)
	}
	return kinds
}

// updates are what the devices of the test share.
type updates struct {
	t     *testing.T
	addr  string // of the broker
	cloud *cloud.Cloud

	mu        sync.Mutex // of the broker, too
	m         *mosquitto
	restarted time.Time // when the last restart is, or was
	faults    map[string]int
}

// serve runs the cloud side, with a session that the broker keeps.
func (u *updates) serve() *cloud.Cloud {
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.CleanSession = "mqtt://"+u.addr, "cloud", false
	o.Backoff = mqttlink.Backoff{Min: 100 * time.Millisecond, Max: time.Second, Stable: time.Second}
	subscribed := make(chan struct{})
	var once sync.Once
	o.OnSuback = func([]string, []string) { once.Do(func() { close(subscribed) }) }
	link, err := mqttlink.New(o)
	if err != nil {
		u.t.Fatal(err)
	}
	c, err := cloud.New(cloud.Options{Client: link, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		u.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = link.Run(ctx) })
	running.Go(func() { _ = c.Run(ctx) })
	u.t.Cleanup(func() {
		cancel()
		running.Wait()
		c.Close()
	})
	select {
	case <-subscribed:
	case <-time.After(binary.Patience):
		u.t.Fatal("the cloud is not subscribed")
	}
	return c
}

// updated is one agent that is configured by jobs.
type updated struct {
	*updates
	name, state, file string
	tap               *tap
	p                 *process
	runs              int
	made              int // updates
}

// start runs the agent.
func (d *updated) start() {
	d.runs++
	d.p = run(d.t, nil, func(string) {}, binary.Path, "run", "--config", d.file)
}

// device configures one agent again and again.
func (u *updates) device(name string, random *rand.Rand, kinds []string, lines *client) {
	d := &updated{updates: u, name: name, state: u.t.TempDir(), tap: newTap(u.t, u.addr)}
	d.file = filepath.Join(u.t.TempDir(), "pithings.yaml")
	endpoint := "mqtt://" + d.tap.Addr().String()
	if err := os.WriteFile(d.file, fmt.Appendf(nil, `mqtt: {endpoint: %q, client_id: %s, reconnect: {min: 100ms, max: 500ms}}
clock: trust
http: {listen: "127.0.0.1:0"}
state: %s
awsiot: {jobs: {enabled: true, allow: [update-config]}, trial: %s}
things:
  - {name: w-%s, type: environment, bus: mock, interval: 200ms, heater: {enabled: false}}
`, endpoint, name, d.state, trialTime, name), 0o600); err != nil {
		u.t.Error(err)
		return
	}
	d.start()
	works(u.t, d.p)
	p := &publisher{t: u.t, topic: "lines/" + name, client: lines, next: 1, random: rand.New(rand.NewPCG(random.Uint64(), 0)), size: someLarge,
		flags: []string{"--state", d.state, "--endpoint", endpoint, "--id", name}}
	r := p.run()
	ctx, cancel := context.WithCancel(context.Background())
	var feeding sync.WaitGroup
	feeding.Go(func() {
		p.feed(ctx, r, func() time.Duration {
			if p.next-1-r.safe.Load() >= ahead {
				return 50 * time.Millisecond
			}
			return 20 * time.Millisecond
		})
	})
	for _, kind := range kinds {
		for places := faultPlaces; places > 0; { // of what it does not come to, an earlier one is tried
			places = d.update(kind, random.IntN(places), random.IntN(2) == 0)
		}
	}
	d.calm()
	d.cannotConnect()
	cancel()
	feeding.Wait()
	r.in.Close()
	r.wait(u.t)
	d.p.end(u.t, syscall.SIGTERM)
	p.drain(time.Minute)
	eventually(u.t, binary.Patience, name+": all safe messages at the watcher", func() bool { return lines.missing() == 0 })
	lines.check(u.t, "pub beside "+name, ledger.Promise{Window: window + ahead, Sessions: u.m.accepted(name) + d.runs})
}

// settingsOf is the settings of an update, for which the connection is made anew.
func settingsOf(n int) string {
	return fmt.Sprintf(`{"mqtt": {"queue": {"max_bytes": "%dMiB"}}}`, 500+n)
}

// inEffect reports whether the newest settings are those of an update.
func (d *updated) inEffect(n int) bool {
	r, err := settings.Newest(d.state)
	if err != nil || r == nil {
		return false
	}
	text, err := json.Marshal(r.Settings)
	return err == nil && !r.Trial && string(text) == strings.ReplaceAll(settingsOf(n), " ", "")
}

// update makes one job, and one fault behind so many messages around it; deliver is whether the
// message there arrives, if the kind leaves that open. If the job ends before that many, it
// returns the number: a cut was not made then, and is to be made at an earlier one.
func (d *updated) update(kind string, after int, deliver bool) (missed int) {
	if kind == brokerRestarts {
		d.awaitRestart()
	}
	n := d.made
	d.made++
	cut := kind == cutLost || kind == cutDelivered
	s := &stop{after: after, cut: cut, deliver: kind == cutDelivered || !cut && deliver, reached: make(chan struct{}), resume: make(chan struct{})}
	d.tap.stopAt(s)
	id := fmt.Sprintf("%s-%d", d.name, n)
	d.create(id, settingsOf(n))
	over := make(chan cloud.Execution, 1)
	go func() { over <- d.ended(id) }()
	var e cloud.Execution
	select {
	case <-s.reached:
		d.fault(kind)
		close(s.resume)
		e = <-over
	case e = <-over:
		switch passed := d.tap.pass(s); {
		case passed && cut:
			missed = after
		case passed: // it comes behind them
			d.fault(kind)
		default:
			<-s.reached
			d.fault(kind)
			close(s.resume)
		}
	}
	if e.Status != "SUCCEEDED" || !d.inEffect(n) {
		d.t.Errorf("%s, %s after %d messages: %s %v, in effect %v:\n%s", id, kind, after, e.Status, e.Details, d.inEffect(n), tail(d.p.complained()))
		return 0
	}
	return missed
}

// calm makes an update without a fault. Behind it the agent is connected, and stays so.
func (d *updated) calm() {
	n := d.made
	d.made++
	id := fmt.Sprintf("%s-%d", d.name, n)
	d.create(id, settingsOf(n))
	if e := d.ended(id); e.Status != "SUCCEEDED" || !d.inEffect(n) {
		d.t.Errorf("%s: %s %v, in effect %v:\n%s", id, e.Status, e.Details, d.inEffect(n), tail(d.p.complained()))
	}
}

// restartsApart is how far apart restarts of the broker are: a client whose sessions all end
// within 10 s takes it that another one has its id, and makes longer and longer pauses.
const restartsApart = 12 * time.Second

// awaitRestart waits until the broker may be restarted.
func (u *updates) awaitRestart() {
	u.mu.Lock()
	at := u.restarted.Add(restartsApart)
	if now := time.Now(); at.Before(now) {
		at = now
	}
	u.restarted = at // others come after it
	u.mu.Unlock()
	time.Sleep(time.Until(at))
}

// fault makes one. That of a connection is made where it stops.
func (d *updated) fault(kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[kind]++
	switch kind {
	case brokerRestarts:
		before := d.m.accepted("cloud")
		d.m.down(d.t)
		d.m.up(d.t)
		// A mosquitto that has just logged that it runs does not end upon a signal.
		eventually(d.t, binary.Patience, "the cloud's next session", func() bool { return d.m.accepted("cloud") > before })
	case agentKilled:
		d.p.kill()
		mustBeKilled(d.t, d.p)
		d.start()
	}
}

// cannotConnect has settings tried while no connection can be made.
func (d *updated) cannotConnect() {
	id := d.name + "-bad"
	d.tap.setShut(true)
	d.create(id, settingsOf(d.made))
	eventually(d.t, trialTime+fleetPatience, id+": the settings before", func() bool {
		r, err := settings.Newest(d.state)
		return err == nil && r != nil && r.Undoes > 0
	})
	d.tap.setShut(false)
	if e := d.ended(id); e.Status != "FAILED" || !strings.Contains(e.Details["reason"], "no connection with revision") || !d.inEffect(d.made-1) {
		d.t.Errorf("%s: %s %v", id, e.Status, e.Details)
	}
}

// create queues a job.
func (d *updated) create(id, config string) {
	document := json.RawMessage(`{"action": "update-config", "config": ` + config + `}`)
	if err := d.cloud.CreateJob(d.t.Context(), cloud.Job{ID: id, Document: document, Things: []string{d.name}}); err != nil {
		d.t.Error(err)
	}
}

// ended waits for the end of a job.
func (d *updated) ended(id string) (e cloud.Execution) {
	for end := time.Now().Add(fleetPatience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, e = range d.cloud.Executions(d.name) {
			if e.Job == id && e.Status != "QUEUED" && e.Status != "IN_PROGRESS" {
				return e
			}
		}
	}
	return e
}
