package mqttlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink/clock"
	"pithings/mqttlink/clock/clocktest"
	"pithings/mqttlink/outbox"
)

var (
	built = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
	today = time.Date(2026, 11, 25, 8, 0, 0, 123456789, time.UTC)
)

// pi is a machine that loses its clock when it is off, with an outbox on its disk.
type pi struct {
	*clocktest.Machine
	t      *testing.T
	dir    string
	limits outbox.Limits
	broker *script
	log    logBuffer
	opts   func(*Options)

	clock *clock.Clock
	link  *Link
	n     int               // messages published
	made  map[string]sample // by payload as published
	ends  []func()          // of the process
	off   atomic.Bool       // no network
	order []string          // of publishing
}

// sample is when a message was made, by the test's clock.
type sample struct {
	at    time.Time
	field TimeField
}

func newPi(t *testing.T) *pi {
	return &pi{Machine: clocktest.New(), t: t, dir: t.TempDir(), broker: &script{}, made: map[string]sample{}, opts: func(*Options) {}}
}

// start starts the process.
func (p *pi) start() {
	t := p.t
	t.Helper()
	log := p.log.logger()
	p.clock = clock.New(clock.Options{Built: built, Dir: p.dir, Machine: p.Machine.Machine(), Log: log})
	box, err := outbox.Open(p.dir+"/outbox", outbox.DiskOptions{Now: p.clock.Now, Limits: p.limits})
	if err != nil {
		t.Fatal(err)
	}
	o := options("broker:1883")
	o.Outbox, o.Clock, o.Log = box, p.clock, log
	o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p.off.Load() {
			return nil, errors.New("no network")
		}
		return p.broker.pipe(ctx, network, addr)
	}
	p.opts(&o)
	if p.link, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- p.link.Run(ctx) }()
	go func() { done <- p.clock.Run(ctx) }()
	p.ends = append(p.ends, func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		p.broker.wg.Wait()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
}

// stop ends the process.
func (p *pi) stop() {
	for _, end := range p.ends {
		end()
	}
	p.ends = nil
}

// flush waits until everything has arrived.
func (p *pi) flush() {
	p.t.Helper()
	if err := p.link.Flush(timeout(p.t.Context(), time.Hour)); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait() // QoS 0 is on its way
}

// measure takes a sample and publishes it a while later.
func (p *pi) measure(qos byte, f TimeFormat, takes time.Duration) {
	p.t.Helper()
	at := time.Now()
	wall := p.Now() // what a thing would print
	time.Sleep(takes)
	payload := fmt.Sprintf(`{"n": %d, "time": %s, "value": 23.6}`, p.n, f.Append(nil, wall))
	m := Message{Topic: "t", Payload: []byte(payload), QoS: qos, Time: at, TimeField: field(payload, "time", f)}
	if err := p.link.Publish(p.t.Context(), m); err != nil {
		p.t.Fatal(err)
	}
	p.n++
	p.order = append(p.order, payload)
	p.made[payload] = sample{at, m.TimeField}
}

// want returns what is to arrive of all that was published: now and wall are the
// same moment by the test's clock and the right time.
func (p *pi) want(now, wall time.Time, null func(n int) bool) []string {
	var want []string
	for n, payload := range p.order {
		s := p.made[payload]
		want = append(want, string(fill([]byte(payload), s.field.stored(), wall.Add(s.at.Sub(now)), !null(n))))
	}
	return want
}

func never(int) bool { return false }

func (p *pi) check(want []string) {
	p.t.Helper()
	if got := p.broker.payloads(); !slices.Equal(got, want) {
		p.t.Errorf("arrived:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A first boot: the Pi measures in 1970, a time service sets its clock an hour
// later, and everything arrives, in order, with the times at which it was measured.
func TestFirstBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		time.Sleep(25 * time.Second) // of booting
		p.start()
		defer p.stop()
		for i := range 40 {
			p.measure(byte(i%2), UnixSeconds+TimeFormat(i%4), 150*time.Millisecond)
			p.Step(time.Duration(i%3-1) * 24 * time.Hour)
			time.Sleep(time.Minute + 7*time.Millisecond)
		}
		synctest.Wait()
		if got := p.broker.payloads(); len(got) > 0 {
			t.Fatalf("arrived before the time is known: %q", got)
		}
		if s := p.link.Stats(); s.State != Online || s.Connects != 1 || s.Waiting != 40 || s.Dated != 0 || s.LastError != "" {
			t.Errorf("while waiting: %+v", s)
		}
		// One sample is begun before the clock is set, and published after it is known.
		at := time.Now()
		payload := fmt.Sprintf(`{"n": 40, "time": %d, "value": 1}`, p.Now().Unix())
		time.Sleep(300 * time.Millisecond)
		p.Synchronise(today)
		synced := time.Now()
		time.Sleep(2 * clock.Poll)
		m := Message{Topic: "t", Payload: []byte(payload), QoS: 1, Time: at, TimeField: field(payload, "time", UnixSeconds)}
		if err := p.link.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		p.order, p.made[payload] = append(p.order, payload), sample{at, m.TimeField}
		p.n++
		p.measure(1, TextMicros, 150*time.Millisecond) // and one is right from the start
		p.flush()
		p.check(p.want(synced, today, never))
		if last := p.order[len(p.order)-1]; !slices.Contains(p.broker.payloads(), last) {
			t.Error("a message whose time was known was changed")
		}
		if s := p.link.Stats(); s.Connects != 1 || s.Waiting != 0 || s.Dated != 41 || s.Nulled != 0 || s.Acked != 42 || s.Resent != 0 {
			t.Errorf("at the end: %+v", s)
		}
		logged := strings.Join(p.log.lines(), "\n")
		if n := strings.Count(logged, "messages wait until"); n != 1 || !strings.Contains(logged, "clock: trust") {
			t.Errorf("logged %d times:\n%s", n, logged)
		}
	})
}

// Only messages with a time in them wait, and what is behind them. Retained ones
// are no different.
func TestOrderWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.start()
		defer p.stop()
		send := func(qos byte, retain bool, payload string, f TimeField) {
			t.Helper()
			if err := p.link.Publish(t.Context(), Message{Topic: "t", Payload: []byte(payload), QoS: qos, Retain: retain, TimeField: f}); err != nil {
				t.Fatal(err)
			}
		}
		send(1, false, "motion", TimeField{})
		send(0, true, "12", TimeField{0, 2, UnixSeconds})
		send(1, false, "later", TimeField{})
		batch := []Message{{Topic: "t", Payload: []byte("batch"), QoS: 1}, {Topic: "t", Payload: []byte("34"), QoS: 1, TimeField: TimeField{0, 2, UnixSeconds}}}
		if got, err := p.link.PublishAll(t.Context(), batch); err != nil || got.N != 2 {
			t.Fatal(got, err)
		}
		time.Sleep(time.Hour)
		if got := p.broker.payloads(); !slices.Equal(got, []string{"motion"}) {
			t.Errorf("before the time is known arrived %q", got)
		}
		p.Synchronise(today)
		p.flush()
		want := []string{"motion", fmt.Sprint(today.Add(-time.Hour).Unix()), "later", "batch", fmt.Sprint(today.Add(-time.Hour).Unix())}
		if got := p.broker.payloads(); !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// The process is killed and started again in the same boot before the clock is
// known: the stamps are in the outbox.
func TestRestartBeforeTheTimeIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		for range 3 {
			p.start()
			for i := range 5 {
				p.measure(byte(i%2), TextMillis, 20*time.Millisecond)
				time.Sleep(10 * time.Minute)
			}
			p.stop()
			time.Sleep(time.Hour)
		}
		p.start()
		defer p.stop()
		time.Sleep(time.Minute)
		p.Synchronise(today)
		synced := time.Now()
		p.flush()
		p.check(p.want(synced, today, never))
		if s := p.link.Stats(); s.Dated != 15 || s.Nulled != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Boots that learn the time before what they measured is delivered, and one that
// never does, whose messages go out with null.
func TestReboots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.off.Store(true)
		p.opts = func(o *Options) { o.Backoff = Backoff{} }
		start, wall := time.Now(), today
		right := func() time.Time { return wall.Add(time.Since(start)) }
		for boot := range 3 {
			p.Boot()
			time.Sleep(30 * time.Second)
			p.start()
			for i := range 4 {
				if boot == 2 && i == 2 {
					p.Synchronise(right())
					time.Sleep(2 * clock.Poll)
				}
				p.measure(1, TextMicros, 150*time.Millisecond)
				time.Sleep(time.Minute)
			}
			if boot == 0 {
				p.Synchronise(right())
				time.Sleep(2 * clock.Poll)
			}
			p.stop() // before anything is delivered
			time.Sleep(time.Hour)
		}
		p.Boot()
		p.off.Store(false)
		p.start()
		defer p.stop()
		// This boot has not learnt the time either: what earlier ones did goes out at once.
		p.flush()
		p.check(p.want(start, wall, func(n int) bool { return n >= 4 && n < 8 }))
		if s := p.link.Stats(); s.Dated != 6 || s.Nulled != 4 || s.Acked != 12 {
			t.Errorf("%+v", s)
		}
		if logged := strings.Join(p.log.lines(), "\n"); strings.Count(logged, "sent without its time") != 1 {
			t.Errorf("logged:\n%s", logged)
		}
	})
}

// When a session is lost before the broker acknowledges, the repetition has the
// same time, and is counted once.
func TestRepeatedWithTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.broker.answer = func(session, _ int) bool { return session > 2 }
		p.start()
		defer p.stop()
		for range 3 {
			p.measure(1, TextMicros, time.Millisecond)
		}
		p.Synchronise(today)
		synced := time.Now()
		time.Sleep(3 * time.Second)
		p.Step(time.Hour)
		p.flush()
		want := p.want(synced, today, never)
		p.check(slices.Concat(want, want, want))
		if s := p.link.Stats(); s.Dated != 3 || s.Resent != 6 || s.Connects != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// A clock that is set back and forth neither reorders, nor drops by age, nor ends
// lives early or late, in this process or the next.
func TestSteppingClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, steps := range map[string][]time.Duration{
		"back and forth": {-20 * year, 21 * year, -year, time.Hour, -time.Hour},
		"back":           {-time.Second, -time.Minute, -time.Hour},
		"forth":          {time.Hour, 24 * time.Hour, 30 * year},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPi(t)
				p.limits.Age = 2 * time.Hour
				p.off.Store(true)
				p.opts = func(o *Options) { o.Backoff = Backoff{} }
				p.Set(today)
				p.PutRTC("rtc0", true, today)
				p.start()
				began := time.Now()
				for i := range 20 {
					p.measure(1, TextMillis, 0)
					p.Step(steps[i%len(steps)])
					time.Sleep(2 * time.Minute)
				}
				command := func(payload string, life time.Duration) {
					t.Helper()
					if err := p.link.Publish(t.Context(), Message{Topic: "t", Payload: []byte(payload), QoS: 1, Expiry: life}); err != nil {
						t.Fatal(err)
					}
				}
				command("short", time.Minute)
				command("long", 10*time.Minute)
				p.Step(steps[0])
				p.stop()
				p.Step(steps[1])
				p.start()
				defer p.stop()
				command("short", time.Minute)
				command("longer", 10*time.Minute)
				p.Step(steps[2])
				time.Sleep(5 * time.Minute)
				p.off.Store(false)
				p.flush()
				p.check(append(slices.Clone(p.order), "long", "longer"))
				if s := p.link.Stats(); s.Dropped != 0 || s.Expired != 2 || time.Since(began) > p.limits.Age {
					t.Errorf("after %v: %+v", time.Since(began), s)
				}
				// Age itself still counts.
				p.off.Store(true)
				p.broker.note(func() {
					for _, c := range p.broker.conns {
						c.Close()
					}
				})
				p.measure(1, TextMillis, 0)
				time.Sleep(p.limits.Age + time.Hour)
				p.measure(1, TextMillis, 0)
				synctest.Wait()
				if s := p.link.Stats(); s.Queued != 1 || s.Dropped != 1 {
					t.Errorf("%d are queued, %d were dropped by age", s.Queued, s.Dropped)
				}
			})
		})
	}
}

// A real-time clock was a day slow, and a time service corrects it between two
// processes: a command is as old as it was.
func TestLifeOverACorrection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.Set(today.Add(-24 * time.Hour))
		p.PutRTC("rtc0", true, today)
		p.off.Store(true)
		p.start()
		for _, life := range []time.Duration{10 * time.Minute, time.Minute} {
			if err := p.link.Publish(t.Context(), Message{Topic: "t", Payload: []byte(life.String()), QoS: 1, Expiry: life}); err != nil {
				t.Fatal(err)
			}
		}
		p.stop()
		time.Sleep(5 * time.Minute)
		p.Synchronise(today)
		p.off.Store(false)
		p.start()
		defer p.stop()
		p.flush()
		p.check([]string{"10m0s"})
	})
}

// A backlog that waits for the clock does not hold up what overtakes it.
func TestLivePassesAnUndatedBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.opts = func(o *Options) { o.LiveFirst, o.Backoff = true, Backoff{} }
		p.off.Store(true)
		p.start()
		defer p.stop()
		for range 3 {
			p.measure(1, UnixMillis, time.Second)
		}
		p.off.Store(false)
		time.Sleep(10 * time.Minute)
		for i, payload := range []string{"motion", "more"} {
			publish(t, p.link, 1, payload)
			time.Sleep(time.Minute)
			if got := p.broker.payloads(); len(got) != i+1 || got[i] != payload {
				t.Fatalf("while the backlog waits arrived %q", got)
			}
		}
		p.Synchronise(today)
		synced := time.Now()
		p.flush()
		p.check(append([]string{"motion", "more"}, p.want(synced, today, never)...))
		if s := p.link.Stats(); s.Dated != 3 || s.Connects != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// With queueing switched off, a message that would have to wait is refused.
func TestUndatedWithoutQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.opts = func(o *Options) { o.MaxQueued, o.Outbox = 0, nil }
		p.start()
		defer p.stop()
		time.Sleep(time.Minute)
		m := Message{Topic: "t", Payload: []byte("12"), QoS: 1, TimeField: TimeField{0, 2, UnixSeconds}}
		if err := p.link.Publish(t.Context(), m); !errors.Is(err, ErrUndated) || !strings.Contains(err.Error(), "clock: trust") {
			t.Error(err)
		}
		if got, err := p.link.PublishAll(t.Context(), []Message{m}); !errors.Is(err, ErrUndated) || got.N != 0 {
			t.Error(got, err)
		}
		m.TimeField = TimeField{}
		if err := p.link.Publish(t.Context(), m); err != nil {
			t.Error(err)
		}
		p.Synchronise(today)
		time.Sleep(2 * clock.Poll)
		m.TimeField = TimeField{0, 2, UnixSeconds}
		if err := p.link.Publish(t.Context(), m); err != nil {
			t.Error(err)
		}
	})
}

// A full outbox that drops the oldest continues doing so while messages wait.
func TestUndatedMessagesGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.limits = outbox.Limits{Messages: 5, Drop: outbox.DropOldest}
		p.start()
		defer p.stop()
		for range 12 {
			p.measure(1, UnixMillis, time.Second)
		}
		p.Synchronise(today)
		synced := time.Now()
		p.flush()
		p.check(p.want(synced, today, never)[7:])
	})
}

// buffered is an end of a pipe that does not wait for its reader, as TLS needs it:
// both ends may write at once when the handshake fails.
type buffered struct {
	net.Conn
	out  chan []byte
	once sync.Once
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, out: make(chan []byte, 100)}
	go func() {
		defer c.Close()
		for p := range b.out {
			if _, err := c.Write(p); err != nil {
				for range b.out { // until it is closed
				}
			}
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.out <- slices.Clone(p)
	return len(p), nil
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.out) })
	return nil
}

// Before the clock is set nothing encrypted is attempted, which is reported once, and
// when it is there is a connection at once.
func TestTLSWaitsForTheClock(t *testing.T) {
	now := time.Now()
	ca := newAuthority(t, "test authority")
	server := ca.server("broker", -time.Hour, year, tls.NoClientCert)
	for name, tt := range map[string]struct {
		set      func(*clocktest.Machine) // before the time is known
		attempts bool
		kind     Kind
		words    string
	}{
		"1970":              {func(*clocktest.Machine) {}, false, NotYetValid, "before this machine's clock is set: it reads 1970-01-01 "},
		"the last shutdown": {func(m *clocktest.Machine) { m.Set(now.AddDate(0, 0, -10)) }, true, NotYetValid, "is valid from"},
		"right by chance":   {func(m *clocktest.Machine) { m.Set(now) }, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPi(t)
				tt.set(p.Machine)
				attempts, connected := 0, time.Time{}
				p.opts = func(o *Options) {
					c := clock.New(clock.Options{Built: now.AddDate(0, 0, -30), Machine: p.Machine.Machine(), Log: o.Log})
					go c.Run(t.Context())
					p.clock, o.Clock = c, c
					o.Endpoint, o.CA, o.now = "mqtts://broker:8883", ca.file, p.Now
					o.Backoff = Backoff{Min: 10 * time.Hour, Max: 10 * time.Hour, random: top}
					o.OnState = func(s State) {
						if s == Online {
							connected = time.Now()
						}
					}
					o.Dial = func(context.Context, string, string) (net.Conn, error) {
						attempts++
						here, there := net.Pipe()
						p.broker.wg.Go(func() { p.broker.serve(tls.Server(newBuffered(there), server)) })
						return here, nil
					}
				}
				p.start()
				defer p.stop()
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				s := p.link.Stats()
				if tt.attempts != (attempts > 0) || attempts > 1 || s.Attempts != uint64(attempts) {
					t.Errorf("%d attempts, %d counted", attempts, s.Attempts)
				}
				if !strings.Contains(s.LastError, tt.words) || strings.ContainsAny(s.LastError, "\n") {
					t.Errorf("explained: %s", s.LastError)
				}
				logged := strings.Join(p.log.lines(), "\n")
				if n := strings.Count(logged, "no connection"); tt.kind != "" && (n != 1 || !strings.Contains(logged, "kind="+string(tt.kind))) {
					t.Errorf("logged %d times:\n%s", n, logged)
				}
				p.Synchronise(now)
				synced := time.Now()
				time.Sleep(2 * clock.Poll)
				synctest.Wait()
				if s := p.link.Stats(); s.State != Online || s.LastError != "" || s.Waiting != 0 {
					t.Fatalf("after the clock was set: %+v", s)
				}
				if wait := connected.Sub(synced); wait > clock.Poll {
					t.Errorf("connected %v after the clock was set", wait)
				}
			})
		})
	}
}

// The end does not wait for a clock.
func TestEndWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPi(t)
		p.start()
		p.measure(1, UnixSeconds, time.Second)
		time.Sleep(time.Minute)
		began := time.Now()
		p.stop()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("ended after %v", d)
		}
		p.opts = func(o *Options) { o.Endpoint = "mqtts://broker:8883" }
		p.start()
		time.Sleep(time.Minute)
		began = time.Now()
		p.stop()
		if d := time.Since(began); d > 0 {
			t.Errorf("ended after %v", d)
		}
	})
}

// A time of the calendar, as that of an import, stays what it is to the millisecond,
// again and again.
func TestCalendarTimeStays(t *testing.T) {
	o := DefaultOptions()
	o.Endpoint = "mqtt://127.0.0.1"
	box := outbox.NewMemory(outbox.Limits{})
	o.Outbox = box
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		if err := l.Publish(t.Context(), Message{Topic: "t", QoS: 1, Time: want}); err != nil {
			t.Fatal(err)
		}
		r, ok, err := box.Next(uint64(i))
		if err != nil || !ok || !r.Time.Equal(want) || r.Stamp.Boot != [16]byte{} {
			t.Fatalf("%v, %v, %+v", ok, err, r)
		}
	}
}
