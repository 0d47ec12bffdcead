package engine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/packet"
)

// network is a carrier without a network: a broker that answers after a time, in the bubble's
// clock.
type network struct {
	s      *shard
	delay  time.Duration
	events []event
	alarm  chan struct{}
	open_  map[int32]bool

	down   bool
	mute   byte            // type of packet that is not answered
	opens  []time.Duration // when connections were begun
	most   int             // that waited for an answer at a time
	pings  int
	during func(now time.Duration) // called at each wait
}

type event struct {
	at time.Duration
	i  int32
	do func()
}

func (n *network) after(i int32, do func()) {
	n.events = append(n.events, event{n.s.e.Now() + n.delay, i, do})
}

func (n *network) open(i int32) {
	n.opens = append(n.opens, n.s.e.Now())
	n.most = max(n.most, n.s.opening)
	n.open_[i] = true
	down := n.down
	n.after(i, func() {
		if down || n.down {
			n.s.lost(i, errors.New("connection refused"))
			return
		}
		n.s.opened(i)
	})
}

func (n *network) send(i int32, b []byte) error {
	for len(b) > 0 {
		first, size, head, _ := packet.Header(b)
		body := b[head : head+size]
		b = b[head+size:]
		if n.mute == first>>4 {
			continue
		}
		var answer []byte
		switch first >> 4 {
		case packet.Connect:
			answer = []byte{packet.Connack << 4, 2, 0, 0}
		case packet.Subscribe:
			answer = []byte{packet.Suback << 4, 3, body[0], body[1], 0}
		case packet.Publish:
			if m, _ := packet.ParsePublish(first, body); m.QoS > 0 {
				answer = packet.AppendPuback(nil, m.ID)
			}
		case packet.Pingreq:
			n.pings++
			answer = []byte{packet.Pingresp << 4, 0}
		}
		if answer != nil {
			n.after(i, func() { n.s.feed(i, answer) })
		}
	}
	return nil
}

func (n *network) close(i int32) {
	n.open_[i] = false
	n.events = slices.DeleteFunc(n.events, func(e event) bool { return e.i == i })
}

func (n *network) wait(until time.Duration) {
	for _, e := range n.events {
		until = min(until, e.at)
	}
	t := time.NewTimer(min(until-n.s.e.Now(), time.Hour))
	defer t.Stop()
	select {
	case <-t.C:
	case <-n.alarm:
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	now := n.s.e.Now()
	var due []event
	n.events = slices.DeleteFunc(n.events, func(e event) bool {
		if e.at <= now {
			due = append(due, e)
		}
		return e.at <= now
	})
	for _, e := range due {
		if n.open_[e.i] {
			e.do()
		}
	}
	if n.during != nil {
		n.during(now)
	}
}

func (n *network) wake() { n.alarm <- struct{}{} }
func (n *network) end()  {}

// kill ends all connections, as the end of a broker does.
func (n *network) kill() {
	n.down = true
	for i := range n.s.sessions {
		if n.s.sessions[i].state >= opening && n.s.sessions[i].state <= online {
			n.s.lost(int32(i), errors.New("the broker closed the connection"))
		}
	}
}

// simulate runs devices on such a network for a time.
func simulate(t *testing.T, o Options, n *network, length time.Duration) *Engine {
	t.Helper()
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.start = time.Now()
	n.s, n.alarm, n.open_ = e.shards[0], make(chan struct{}, 1), map[int32]bool{}
	n.s.carrier = n
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	n.s.run(ctx)
	return e
}

// A broker that dies under 10,000 devices is found again without a storm.
func TestNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const devices, ramp = 10000, 500
		o := meters(devices, netip.AddrPort{}, time.Hour)
		o.Ramp = ramp
		n := &network{delay: 20 * time.Millisecond}
		const dies, lives = 60 * time.Second, 100 * time.Second
		var full time.Duration
		n.during = func(now time.Duration) {
			switch {
			case now >= dies && now < lives && !n.down:
				if n.s.stats.Connected != devices {
					t.Errorf("%d are connected after %v", n.s.stats.Connected, now)
				}
				n.kill()
			case now >= lives && n.down:
				n.down = false
			case now > lives && n.s.stats.Connected == devices && full == 0:
				full = now
			}
		}
		simulate(t, o, n, 4*time.Minute)
		if full == 0 || full > lives+32*time.Second+devices/ramp*time.Second+time.Second {
			t.Errorf("all are connected again at %v", full)
		}
		most := 0
		for from, to := 0, 0; to < len(n.opens); to++ {
			for n.opens[to]-n.opens[from] >= time.Second {
				from++
			}
			most = max(most, to-from+1)
		}
		if most > ramp*103/100 || most < ramp*9/10 {
			t.Errorf("%d connections were begun in a second; the ramp is %d", most, ramp)
		}
		if n.most > maxOpening {
			t.Errorf("%d waited for an answer at a time", n.most)
		}
	})
}

// The ramp may change while devices connect: also one that has hardly let any in.
func TestSetRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := meters(2000, netip.AddrPort{}, time.Hour)
		o.Ramp = 0.01
		n := &network{delay: time.Millisecond}
		changed := false
		n.during = func(now time.Duration) {
			if now >= 10*time.Second && !changed {
				changed = true
				go n.s.e.SetRamp(100) // the lock is held here
			}
		}
		o.Client = func(i int) Client { return &meter{name: nameOf(i), interval: time.Second} } // so that there are wake-ups
		simulate(t, o, n, 20*time.Second)
		early := 0
		for _, at := range n.opens {
			if at < 10*time.Second {
				early++
			}
		}
		if late := len(n.opens) - early; early != 1 || late < 900 || late > 1030 {
			t.Errorf("%d connections in 10 s at 0.01/s, and %d in 10 s at 100/s", early, late)
		}
	})
}

// A device knows how many messages it may publish.
func TestFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := meters(1, netip.AddrPort{}, time.Hour)
		n := &network{delay: time.Millisecond, mute: packet.Publish}
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		n.s, n.alarm, n.open_ = e.shards[0], make(chan struct{}, 1), map[int32]bool{}
		n.s.carrier = n
		s := n.s
		if free := s.of(0).Free(); free != 0 {
			t.Errorf("%d without a session", free)
		}
		n.open_[0] = true
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sessions[0].state = online
		for want := Window; want >= 0; want-- {
			out := s.of(0)
			if free := out.Free(); free != want {
				t.Fatalf("%d are free, want %d", free, want)
			}
			out.Publish(packet.Message{Topic: "t", QoS: 1})
		}
		if s.stats.Dropped != 1 || s.stats.Published != Window {
			t.Errorf("%+v", s.stats)
		}
		s.ending = true
		s.sessions[0].flights = nil
		if free := s.of(0).Free(); free != 0 {
			t.Errorf("%d at the end", free)
		}
	})
}

// The ramp does not limit alone: with a slow broker it is the number that waits for answers.
func TestListenQueueIsNotOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := meters(2000, netip.AddrPort{}, time.Hour)
		n := &network{delay: 300 * time.Millisecond}
		e := simulate(t, o, n, time.Minute)
		if s := e.Stats(); n.most != maxOpening || s.Sessions != 2000 {
			t.Errorf("%d waited at a time; %+v", n.most, s)
		}
	})
}

// A ramp whose pauses are longer than there are nanoseconds to count is slow, and not fast.
func TestTinyRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := meters(10, netip.AddrPort{}, time.Hour)
		o.Ramp = 1e-12
		n := &network{delay: time.Millisecond}
		simulate(t, o, n, time.Minute)
		if len(n.opens) != 1 {
			t.Errorf("%d connections were begun, want 1", len(n.opens))
		}
	})
}

// While connections fail the broker is looked up again; an answer that cannot be used changes nothing.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, moved := netip.MustParseAddrPort("192.0.2.1:1883"), netip.MustParseAddrPort("192.0.2.2:1883")
		var all []netip.AddrPort
		var wrong error
		asked := 0
		o := meters(1, old, time.Hour)
		o.Addresses = func(context.Context) ([]netip.AddrPort, error) { asked++; return all, wrong }
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		e.addresses.Store(&[]netip.AddrPort{old})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go e.refresh(ctx)
		for i, tc := range []struct {
			name  string
			doubt bool
			all   []netip.AddrPort
			err   error
			asked int
			want  netip.AddrPort
		}{
			{"no connection has failed", false, []netip.AddrPort{moved}, nil, 0, old},
			{"refused", true, []netip.AddrPort{moved}, errors.New("not yours"), 1, old},
			{"no address", true, nil, nil, 2, old},
			{"moved", true, []netip.AddrPort{moved}, nil, 3, moved},
		} {
			all, wrong = tc.all, tc.err
			if tc.doubt {
				e.doubt()
			}
			time.Sleep(2 * refreshTime)
			synctest.Wait()
			if got := e.shards[0].address(0); got != tc.want || asked != tc.asked {
				t.Errorf("%d, %s: %v after %d look-ups, want %v after %d", i, tc.name, got, asked, tc.want, tc.asked)
			}
		}
		cancel()
		synctest.Wait()
	})
}

// A session is kept alive when there is nothing to say, and ended when there is no answer.
func TestSilence(t *testing.T) {
	for _, tc := range []struct {
		name     string
		mute     byte
		interval time.Duration
		qos0     bool
		want     string
		lost     bool
		pings    int
	}{
		{name: "no CONNACK", mute: packet.Connect, interval: time.Hour, want: "no CONNACK in time"},
		{name: "no SUBACK", mute: packet.Subscribe, interval: time.Hour, want: "no SUBACK in time"},
		{name: "no PUBACK", mute: packet.Publish, interval: time.Hour, want: "no PUBACK in time", lost: true},
		{name: "no PINGRESP", mute: packet.Pingreq, interval: time.Hour, want: "no PINGRESP in time", lost: true},
		{name: "no PINGRESP, among messages with QoS 0", mute: packet.Pingreq, interval: 10 * time.Second, qos0: true, want: "no PINGRESP in time", lost: true},
		{name: "a PINGREQ after each 30 s", interval: time.Hour, pings: 2},
		{name: "a PINGREQ after each 30 s, among messages with QoS 0", interval: 10 * time.Second, qos0: true, pings: 2},
		{name: "no PINGREQ while there are messages with QoS 1", interval: 29 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{delay: time.Millisecond, mute: tc.mute}
				o := meters(1, netip.AddrPort{}, tc.interval)
				o.Client = func(int) Client { return &meter{name: nameOf(0), interval: tc.interval, qos0: tc.qos0} }
				e := simulate(t, o, n, 65*time.Second)
				s := e.Stats()
				if tc.want != "" && s.Errors[tc.want] == 0 || tc.want == "" && len(s.Errors) > 0 || (s.Lost > 0) != tc.lost {
					t.Errorf("%+v, want %q", s, tc.want)
				}
				if tc.want == "" && n.pings != tc.pings {
					t.Errorf("%d PINGREQs, want %d", n.pings, tc.pings)
				}
			})
		})
	}
}

// A broker that takes no more bytes does not hold up the end of its connections, under TLS either.
func TestEndOfDeafConnection(t *testing.T) {
	certificate := selfSigned(t)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		client := tls.Client(ours, &tls.Config{InsecureSkipVerify: true})
		server := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
		greeted := make(chan error, 1)
		go func() { greeted <- server.Handshake() }()
		if err := errors.Join(client.Handshake(), <-greeted); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		new(streams).shut(client)
		if took := time.Since(began); took > closeTime {
			t.Errorf("closed after %v, want %v at most", took, closeTime)
		}
	})
}

// selfSigned is a server's certificate.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(cryptorand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Devices whose times lie close together are served at one wake-up, and without any there is
// none.
func TestWakeUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := meters(1000, netip.AddrPort{}, time.Second)
		for _, interval := range []time.Duration{time.Second, time.Hour} {
			o.Client = func(i int) Client { return &meter{name: nameOf(i), interval: interval} }
			waits, published := 0, uint64(0)
			n := &network{delay: time.Microsecond}
			n.during = func(now time.Duration) {
				if now >= 10*time.Second && now < 20*time.Second {
					waits++
					published = max(published, n.s.stats.Published)
				}
			}
			simulate(t, o, n, 20*time.Second)
			// 100 steps in a second, and as many times for the answers that came.
			if most := map[time.Duration]int{time.Second: 2001, time.Hour: 1}[interval]; waits > most {
				t.Errorf("every %v: %d wake-ups in 10 s", interval, waits)
			}
			if interval == time.Second && published < 10000 {
				t.Errorf("%d messages", published)
			}
		}
	})
}

// The pause doubles to its bound, and a session that has held for long begins anew.
func TestBound(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 32 * time.Second}
	for fails, want := range []time.Duration{1, 2, 4, 8, 16, 32, 32} {
		if got := bound(b, uint8(fails)); got != want*time.Second {
			t.Errorf("after %d failures %v, want %v s", fails, got, int(want))
		}
	}
	if got := bound(b, 64); got != b.Max {
		t.Errorf("after 64 failures %v", got)
	}
}
