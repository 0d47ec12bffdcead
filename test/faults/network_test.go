//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/test/binary"
	"pithings/test/faults/ledger"
	"pithings/test/faults/netns"
	"pithings/test/faults/relay"
	"pithings/test/pki"
)

// What the network and the broker go through.
const (
	cuts        = 20
	shortestCut = 1 * time.Second
	longestCut  = 20 * time.Second
	lossy       = 60 * time.Second // 30 % of the packets are lost
	slow        = 60 * time.Second // every packet takes 2 s
	halfOpens   = 3
	halfOpen    = 10 * time.Second // the keep-alive is 5 s: the broker notices after 7.5 s
	silence     = 13 * time.Second // an attempt to connect ends after 10 s
	expired     = 8 * time.Second
	atLeast     = 10_000 // messages
)

// The addresses of the two ends.
const (
	here       = "10.77.0.1"
	there      = "10.77.0.2"
	brokerPort = 8883
)

// network is an agent and a publisher on one side, a broker on the other, and a
// relay between them.
type network struct {
	t      *testing.T
	random *rand.Rand
	near   *netns.Namespace // of the publishers
	far    *netns.Namespace // of the broker
	relay  *relay.Relay
	broker *mosquitto
	certs  *pki.Authority
	pub    *client
	agent  *client
	began  time.Time

	restarts, accepted int
	recovered, not     int
}

// TestNetwork publishes through networks and brokers that do all that they can do.
func TestNetwork(t *testing.T) {
	t.Parallel() // it waits for most of its time
	n := newNetwork(t)
	n.certs.Server(there, time.Now().Add(time.Hour))
	n.certs.Client("publisher", time.Now().Add(time.Hour))
	n.certs.Client("agent", time.Now().Add(time.Hour))
	n.broker.up(t)
	a := &station{t: t, start: n.near.Start, state: t.TempDir(), mqtt: n.mqtt("agent"), sensors: 2, client: n.agent}
	watch(t, n.broker, "watcher", func(topic string, payload []byte) {
		if topic != "pub/lines" {
			if err := a.reading(topic, payload); err != nil {
				t.Error(err)
			}
			return
		}
		number, err := number(payload)
		if err != nil {
			t.Errorf("%s: %v", topic, err)
			return
		}
		n.pub.hasArrived(topic, number)
	})

	state := t.TempDir()
	p := &publisher{t: t, start: n.near.Start, topic: "pub/lines", client: n.pub, next: 1, random: rand.New(rand.NewPCG(n.random.Uint64(), 0)),
		size: func(r *rand.Rand) int { return r.IntN(300) }, flags: []string{"--verbose", "--config", n.config("publisher", state)}}
	pub, running := p.run(), a.run()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var feeding sync.WaitGroup
	pause := rand.New(rand.NewPCG(n.random.Uint64(), 0))
	feeding.Go(func() {
		p.feed(ctx, pub, func() time.Duration { return time.Duration(pause.Int64N(int64(50 * time.Millisecond))) })
	})

	n.say("all are online: %v", n.online(binary.Patience))
	for _, s := range n.scenario() {
		s()
	}
	n.say("all is well again")
	cancel()
	feeding.Wait()
	pub.in.Close()
	if code := pub.wait(t); code != 0 {
		t.Errorf("pub ended with %d", code)
	}
	if code := running.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	p.drain(time.Minute)
	rest := &publisher{t: t, start: n.near.Start, flags: []string{"--config", n.config("agent", a.state)}}
	rest.drain(time.Minute)
	eventually(t, binary.Patience, "all safe messages at the watcher", func() bool { return n.pub.missing() == 0 })
	empty(t, filepath.Join(state, "publisher"))
	empty(t, filepath.Join(a.state, "agent"))
	if t.Failed() {
		t.Logf("pub said:\n%s\nthe agent said:\n%s", tail(pub.complained()), tail(running.complained()))
	}

	n.pub.check(t, "pub", ledger.Promise{Window: window, Sessions: n.broker.accepted("publisher")})
	a.gapless()
	n.agent.check(t, "agent", ledger.Promise{Window: window, Sessions: n.broker.accepted("agent")})
	n.pub.mu.Lock()
	news := n.pub.news
	n.pub.mu.Unlock()
	if news < atLeast {
		t.Errorf("only %d messages were published, of %d", news, atLeast)
	}
	out, back := n.relay.Counts()
	n.say("packets to the broker %+v, back %+v; %d restarts; after %d of %d faults both were online within %v", out, back, n.restarts, n.recovered, n.recovered+n.not, recovery)
	if out.Lost == 0 || back.Lost == 0 || n.restarts < 5 || n.accepted == 0 || n.recovered < cuts/2 {
		t.Error("too little happened for the test to mean something")
	}
	for name, said := range map[string]string{"pub": pub.complained(), "the agent": running.complained()} {
		if !strings.Contains(said, "expired") {
			t.Errorf("%s did not say that a certificate has expired", name)
		}
	}
}

// newNetwork makes the two ends and the relay.
func newNetwork(t *testing.T) *network {
	n := &network{t: t, random: seeded(t), pub: newClient(), agent: newClient(), certs: pki.New(t), began: time.Now()}
	if os.Geteuid() != 0 {
		binary.Lacks(t, "network namespaces need root")
	}
	space := func(address string) (*netns.Namespace, io.ReadWriteCloser) {
		s, err := netns.New()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		f, err := s.TUN(device, netip.MustParseAddr(address))
		if err != nil {
			t.Fatal(err)
		}
		return s, f
	}
	var a, b io.ReadWriteCloser
	n.near, a = space(here)
	n.far, b = space(there)
	n.relay = relay.New(a, b, n.random.Uint64())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.relay.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	n.broker = newMosquitto(t, n.far.Start,
		fmt.Sprintf("listener %d %s", brokerPort, there), "cafile "+n.certs.File("ca.pem"),
		"certfile "+n.certs.File("server.pem"), "keyfile "+n.certs.File("server.key"), "require_certificate true")
	return n
}

const device = "tun0"

// mqtt is the configuration of a connection, as YAML between braces.
func (n *network) mqtt(id string) string {
	return fmt.Sprintf("endpoint: \"mqtts://%s:%d\", client_id: %s, ca: %s, cert: %s, key: %s, keepalive: 5s, reconnect: {max: 4s}",
		there, brokerPort, id, n.certs.File("ca.pem"), n.certs.File(id+".pem"), n.certs.File(id+".key"))
}

// config writes the configuration of a publisher.
func (n *network) config(id, state string) string {
	file := filepath.Join(n.t.TempDir(), "pithings.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "mqtt: {%s}\nstate: %s\n", n.mqtt(id), state), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return file
}

func (n *network) say(format string, args ...any) {
	n.t.Logf("%5.1f s: %s", time.Since(n.began).Seconds(), fmt.Sprintf(format, args...))
}

// scenario is all that happens, in an order of the seed's.
func (n *network) scenario() (steps []func()) {
	for i := range cuts {
		// Most are short, as outages are; the longest and the shortest are there.
		d := shortestCut + time.Duration(float64(longestCut-shortestCut)*math.Pow(n.random.Float64(), 3.5))
		switch i {
		case 0:
			d = longestCut
		case 1:
			d = shortestCut
		}
		steps = append(steps, func() { n.cut(d.Round(10*time.Millisecond), i%2 == 0, i == 2 || i == 3) })
	}
	passes, stops := relay.Conditions{}, relay.Conditions{Cut: true}
	for _, way := range [halfOpens]struct {
		name      string
		out, back relay.Conditions
	}{{"to the broker", stops, passes}, {"from the broker", passes, stops}, {"either way", stops, stops}} {
		steps = append(steps, func() {
			n.under("nothing gets through "+way.name, way.out, way.back, halfOpen, nil)
		})
	}
	some := relay.Conditions{Loss: 0.3}
	late := relay.Conditions{Delay: 2 * time.Second, Jitter: 20 * time.Millisecond}
	steps = append(steps,
		func() { n.under("30 % of the packets are lost", some, some, lossy, n.restart) },
		// At the end: over such a network no new connection is made in time.
		func() { n.under("every packet takes 2 s", late, late, slow, n.restart) },
		func() { n.restart(); n.recover() },
		n.silent, n.clientsExpire, n.serverExpires)
	n.random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	return steps
}

// cut takes the network away: its packets, or the interface too.
func (n *network) cut(d time.Duration, interfaceToo, restart bool) {
	n.t.Helper()
	what := "a cut"
	n.relay.Set(relay.Conditions{Cut: true}, relay.Conditions{Cut: true})
	if interfaceToo {
		what = "a cut with the interface down"
		n.up(false)
	}
	n.say("%s, %v", what, d)
	end := time.After(d)
	if restart {
		n.restart()
	}
	<-end
	if interfaceToo {
		n.up(true)
	}
	n.relay.Set(relay.Conditions{}, relay.Conditions{})
	n.recover()
}

func (n *network) up(up bool) {
	if err := n.near.Up(device, up); err != nil {
		n.t.Fatal(err)
	}
}

// under sets conditions for a time; meanwhile, if not nil, happens in the last part
// of it.
func (n *network) under(what string, out, back relay.Conditions, d time.Duration, meanwhile func()) {
	n.say("%s, %v", what, d)
	n.relay.Set(out, back)
	end := time.After(d)
	if meanwhile != nil {
		time.Sleep(d * 3 / 4)
		meanwhile()
	}
	<-end
	n.relay.Set(relay.Conditions{}, relay.Conditions{})
	n.recover()
}

// restart restarts the broker, after a moment.
func (n *network) restart() {
	n.say("the broker is restarted")
	n.broker.down(n.t)
	time.Sleep(time.Duration(n.random.Int64N(int64(time.Second))))
	n.broker.up(n.t)
	n.restarts++
}

// silent puts something in the broker's place that accepts and never answers.
func (n *network) silent() {
	n.say("the broker accepts and never answers, %v", silence)
	n.broker.down(n.t)
	l, err := n.far.Listen(n.t.Context(), fmt.Sprintf("%s:%d", there, brokerPort))
	if err != nil {
		n.t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			n.accepted++
			all = append(all, c)
		}
		for _, c := range all {
			c.Close()
		}
	})
	time.Sleep(silence)
	l.Close()
	accepting.Wait()
	n.broker.up(n.t)
	n.recover()
}

// clientsExpire gives both clients certificates that have expired, lets them
// connect anew, and renews them.
func (n *network) clientsExpire() {
	n.say("the clients' certificates have expired, %v", expired)
	for _, id := range []string{"publisher", "agent"} {
		n.certs.Client(id, time.Now().Add(-time.Minute))
	}
	n.restart()
	time.Sleep(expired)
	for _, id := range []string{"publisher", "agent"} {
		n.certs.Client(id, time.Now().Add(time.Hour))
	}
	n.recover()
}

// serverExpires does the same with the broker's.
func (n *network) serverExpires() {
	n.say("the broker's certificate has expired, %v", expired)
	n.certs.Server(there, time.Now().Add(-time.Minute))
	n.restart()
	time.Sleep(expired)
	n.certs.Server(there, time.Now().Add(time.Hour))
	n.restart()
	n.recover()
}

// recovery is how long to wait until all are back after a fault.
const recovery = 8 * time.Second

// recover waits until both are online again, and then a moment longer.
func (n *network) recover() {
	if n.online(recovery) {
		n.recovered++
	} else {
		n.not++
	}
	time.Sleep(time.Duration(n.random.Int64N(int64(time.Second))))
}

// online waits until something new has arrived of both.
func (n *network) online(limit time.Duration) bool {
	now := time.Now()
	for time.Since(now) < limit {
		if n.pub.last().After(now) && n.agent.last().After(now) {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// empty makes sure that nothing waits in an outbox.
func empty(t *testing.T, dir string) {
	t.Helper()
	box, err := outbox.Open(dir, outbox.DiskOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	defer box.Close()
	if s := box.Stats(); s.Messages > 0 || s.Damaged > 0 || s.Torn > 0 || s.DamagedFiles > 0 {
		t.Errorf("%s: %+v", dir, s)
	}
}
