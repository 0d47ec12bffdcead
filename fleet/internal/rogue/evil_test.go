package rogue

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/mqttlink/packet"
)

// evil is a broker that serves each connection by a script.
func evil(t *testing.T, serve func(c net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []net.Conn
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
			serving.Go(func() { defer c.Close(); serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range all {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// hasty is a runner that waits for little: its verdicts are of no interest.
func hasty(t *testing.T, to netip.AddrPort, devices ...Device) *Runner {
	t.Helper()
	if len(devices) == 0 {
		devices = []Device{{Name: "a"}}
	}
	r, err := New(Options{
		Devices: devices, Witness: &Device{Name: "w"}, Ramp: MaxConnects, Seed: 7, StolenIDs: []string{"w", "x"},
		Addresses: func(context.Context) ([]netip.AddrPort, error) { return []netip.AddrPort{to}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	const short = 5 * time.Millisecond
	r.site.times = times{dial: time.Second, write: 20 * time.Millisecond, answer: short, settle: short, starve: short, half: short, clean: 50 * time.Millisecond, behaviour: 200 * time.Millisecond}
	r.site.run = "00000007" // which evil brokers know
	r.site.connects, r.site.messages = newPace(1e6), newPace(1e6)
	return r
}

// obey answers as a broker does that takes everything and delivers nothing, until the reader or
// the writer ends.
func obey(r io.Reader, w io.Writer) {
	head := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		n, shift := 0, 0
		for b := []byte{0x80}; b[0]&0x80 != 0 && shift < 28; shift += 7 {
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			n |= int(b[0]&0x7f) << shift
		}
		body, err := io.ReadAll(io.LimitReader(r, int64(n)))
		if err != nil || len(body) < n {
			return
		}
		var out []byte
		switch head[0] >> 4 {
		case packet.Connect:
			out = []byte{packet.Connack << 4, 2, 0, 0}
		case packet.Subscribe:
			if n > 2 {
				out = []byte{packet.Suback << 4, 3, body[0], body[1], 1}
			}
		case packet.Publish:
			if n > 2 && head[0]&2 != 0 {
				if at := 2 + int(binary.BigEndian.Uint16(body)); at+2 <= n {
					out = packet.AppendPuback(nil, binary.BigEndian.Uint16(body[at:]))
				}
			}
		case packet.Pingreq:
			out = []byte{packet.Pingresp << 4, 0}
		case packet.Disconnect:
			return
		}
		if _, err := w.Write(out); err != nil {
			return
		}
	}
}

// cutting is a writer that ends after some bytes.
type cutting struct {
	w    io.Writer
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b[:min(len(b), c.left)])
	if c.left -= n; err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// drain reads what comes.
func drain(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

var connack = []byte{packet.Connack << 4, 2, 0, 0}

// pour writes over and over what the broker's other end did not ask for, after a login.
func pour(first []byte, next func(r *rand.Rand) []byte) func(net.Conn) {
	return func(c net.Conn) {
		go drain(c)
		r := rand.New(rand.NewPCG(1, 2))
		for b := first; ; b = next(r) {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
}

func some(r *rand.Rand, most int) []byte {
	b := make([]byte, 1+r.IntN(most))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// Rogue devices survive whatever a broker answers: each run ends, with a verdict for each behaviour,
// and leaves no goroutine behind.
func TestSurvivesEvilBrokers(t *testing.T) {
	marked := packet.AppendPublish(nil, &packet.Message{Topic: "t", Payload: []byte(markPrefix + "00000007-1."), QoS: 1, Retain: true}, 9)
	huge := append([]byte{packet.Publish << 4, 0xff, 0xff, 0xff, 0x7f}, make([]byte, 1<<16)...)
	const readsNothing = "reads nothing"
	never := make(chan struct{})
	scripts := map[string]func(net.Conn){
		"closes at once":   func(net.Conn) {},
		"never answers":    drain,
		readsNothing:       func(c net.Conn) { _, _ = c.Write(connack); <-never },
		"garbage":          pour(nil, func(r *rand.Rand) []byte { return some(r, 64) }),
		"login, garbage":   pour(connack, func(r *rand.Rand) []byte { return some(r, 64) }),
		"refuses":          func(c net.Conn) { _, _ = c.Write([]byte{packet.Connack << 4, 2, 0, 5}); drain(c) },
		"an odd refusal":   func(c net.Conn) { _, _ = c.Write([]byte{packet.Connack << 4, 2, 0, 255}); drain(c) },
		"a long CONNACK":   func(c net.Conn) { _, _ = c.Write([]byte{packet.Connack << 4, 3, 0, 0, 0}); drain(c) },
		"floods":           pour(connack, func(*rand.Rand) []byte { return marked }),
		"floods huge ones": pour(append(connack[:4:4], huge...), func(*rand.Rand) []byte { return huge[5:] }),
		"PINGRESPs":        pour(connack, func(*rand.Rand) []byte { return []byte{packet.Pingresp << 4, 0} }),
		"PUBACKs":          pour(connack, func(r *rand.Rand) []byte { return packet.AppendPuback(nil, uint16(r.IntN(8))) }),
		"SUBACKs": pour(connack, func(r *rand.Rand) []byte {
			return []byte{packet.Suback << 4, 4, byte(r.IntN(2)), byte(r.IntN(8)), byte(r.Uint32()), byte(r.Uint32())}
		}),
		"a SUBACK of nothing": pour(connack, func(*rand.Rand) []byte { return []byte{packet.Suback << 4, 2, 0, 1} }),
		"QoS 2 and 3":         pour(connack, func(r *rand.Rand) []byte { return []byte{packet.Publish<<4 | byte(4+2*r.IntN(2)), 5, 0, 1, 't', 0, 1} }),
		"a topic too long":    pour(connack, func(*rand.Rand) []byte { return []byte{packet.Publish << 4, 3, 0xff, 0xff, 't'} }),
		"a length of 5 bytes": pour(connack, func(*rand.Rand) []byte { return []byte{packet.Publish << 4, 0xff, 0xff, 0xff, 0xff, 1} }),
		"echoes":              func(c net.Conn) { _, _ = io.Copy(c, c) },
		"echoes after login":  func(c net.Conn) { _, _ = c.Write(connack); _, _ = io.Copy(c, c) },
		"byte by byte": func(c net.Conn) {
			go drain(c)
			for _, b := range append(connack[:4:4], marked...) {
				time.Sleep(time.Millisecond)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		},
		"obeys":            func(c net.Conn) { obey(c, c) },
		"resets":           func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _, _ = c.Write(connack) },
		"no TCP of a sort": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite(); drain(c) },
	}
	for n := range 24 { // CONNACK, SUBACK, PUBACK, PINGRESP and more
		scripts[fmt.Sprintf("closes after %d bytes", n)] = func(c net.Conn) { obey(c, &cutting{c, n}) }
	}
	before := runtime.NumGoroutine()
	t.Run("brokers", func(t *testing.T) {
		for name, serve := range scripts {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := hasty(t, evil(t, serve))
				if err := r.Run(t.Context()); err != nil {
					t.Error(err)
				}
				survived(t, r)
				if name == readsNothing {
					close(never)
				}
			})
		}
		t.Run("no TLS", func(t *testing.T) {
			t.Parallel()
			secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "w"}
			r := hasty(t, evil(t, pour(nil, func(r *rand.Rand) []byte { return some(r, 64) })), Device{Name: "a", TLS: secure}, Device{Name: "b", TLS: secure})
			if err := r.Run(t.Context()); err != nil {
				t.Error(err)
			}
			survived(t, r)
		})
	})
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			all := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, all[:runtime.Stack(all, true)])
		}
	}
}

// survived checks that there is a verdict for each behaviour.
func survived(t *testing.T, r *Runner) {
	t.Helper()
	all := r.Results()
	if done, of, _ := r.Progress(); len(all) != len(List()) || done != of {
		t.Errorf("%d of %d behaviours", done, of)
	}
	for _, one := range all {
		switch one.Verdict {
		case Stopped:
			if one.How == "" {
				t.Errorf("%s is stopped, and not how", one.Behaviour)
			}
		case Through:
			if one.Remedy == "" || one.Severity == "" || one.Detail == "" {
				t.Errorf("%s: %+v", one.Behaviour, one)
			}
		case NotTested:
			if one.Detail == "" {
				t.Errorf("%s is not tested, and not why", one.Behaviour)
			}
		default:
			t.Errorf("%s: %q", one.Behaviour, one.Verdict)
		}
	}
}

// FuzzBroker has a broker send any bytes: they are read without a crash, and a bounded part of
// them is kept.
func FuzzBroker(f *testing.F) {
	f.Add(append(connack[:4:4], packet.AppendPublish(nil, &packet.Message{Topic: "t", Payload: []byte(markPrefix + "1."), QoS: 1}, 1)...))
	f.Add([]byte{packet.Suback << 4, 3, 0, 1, 0x80, packet.Pingresp << 4, 0, packet.Puback << 4, 2, 0, 1})
	f.Add([]byte{packet.Publish << 4, 0xff, 0xff, 0xff, 0x7f, 0, 1, 't'})
	f.Add([]byte{packet.Publish << 4, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		near, other := net.Pipe()
		limits := usual(false)
		c := newConn(t.Context(), near, &limits, newPace(1e6))
		c.listen()
		go drain(other) // what is acknowledged
		_, _ = other.Write(b)
		other.Close()
		<-c.ended
		c.end()
		if c.in.err == nil || len(c.in.marked) > maxMarked || len(c.in.others) > 2*maxOthers || len(c.in.subacks) > maxSubacks {
			t.Fatalf("%+v", c.in)
		}
		for _, m := range append(c.in.marked, c.in.others...) {
			if len(m.topic) > maxTopic || len(m.payload) > maxPayload {
				t.Fatalf("a topic of %d bytes, and %d of a payload", len(m.topic), len(m.payload))
			}
		}
	})
}

// A broker that has one client id for all, as that of one certificate, ends the witness's connection
// when the device connects: then there is none, and what needs it is not tested.
func TestOneClientForAll(t *testing.T) {
	var mu sync.Mutex
	var last net.Conn
	to := evil(t, func(c net.Conn) {
		mu.Lock()
		if last != nil {
			last.Close()
		}
		last = c
		mu.Unlock()
		r, w := io.Pipe()
		var back sync.WaitGroup
		back.Go(func() { obey(r, c) })
		defer func() { w.Close(); back.Wait() }()
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if _, err := w.Write(b[:n]); err != nil {
				return
			}
			if b[0]>>4 == packet.Publish { // deliver it to who has sent it
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
			}
		}
	})
	r := hasty(t, to)
	r.site.times.answer, r.site.times.settle = 10*time.Second, 2*time.Second
	r.list = slices.DeleteFunc(r.list, func(b Behaviour) bool { return b.Name != "publish-foreign" })
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if one := r.Results()[0]; one.Verdict != NotTested || !strings.Contains(one.Detail, "for one client") {
		t.Errorf("%+v", one)
	}
}

// What is found out while the run is interrupted is no verdict: the device's own connections end.
func TestInterruptedBehaviourIsNotTested(t *testing.T) {
	r := hasty(t, evil(t, func(c net.Conn) { obey(c, c) }))
	r.site.times.behaviour = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	tried := func(ctx context.Context, p *probe) Finding {
		cancel()
		<-ctx.Done()
		return stopped(Closed, "")
	}
	r.list = []Behaviour{{Name: "first", run: tried}, {Name: "second", run: tried}}
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, one := range r.Results() {
		if one.Verdict != NotTested || one.Detail != "the run ended before" {
			t.Errorf("%+v", one)
		}
	}
}
