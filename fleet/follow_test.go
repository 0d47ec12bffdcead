package fleet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/fleet/scenario"
	"pithings/mqttlink/packet"
)

// moody is a broker that writes down what it gets. It answers late, and ends sessions when it likes;
// it reads what was sent before each end.
type moody struct {
	l       net.Listener
	delay   time.Duration // of an answer, at most
	patient int           // packets of a session until its end, about; 0: it does not end them

	mu     sync.Mutex
	random *rand.Rand
	got    map[string][]string // of each device
	cut    int                 // sessions that it has ended
	conns  sync.WaitGroup
}

func newMoody(t *testing.T, delay time.Duration, patient int) *moody {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &moody{l: l, delay: delay, patient: patient, random: rand.New(rand.NewPCG(1, uint64(delay))), got: map[string][]string{}}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.conns.Go(func() { m.serve(c.(*net.TCPConn)) })
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
		m.conns.Wait()
	})
	return m
}

func (m *moody) upTo(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

// serve reads a connection to its end.
func (m *moody) serve(c *net.TCPConn) {
	defer c.Close()
	r := bufio.NewReader(c)
	device, left := "", -1
	if m.patient > 0 {
		left = 1 + m.upTo(2*m.patient)
	}
	for {
		first, body, err := readPacket(r)
		if err != nil {
			return
		}
		var answer []byte
		switch first >> 4 {
		case packet.Connect:
			n := int(body[10])<<8 | int(body[11])
			device, answer = string(body[12:12+n]), []byte{packet.Connack << 4, 2, 0, 0}
		case packet.Subscribe:
			answer = []byte{packet.Suback << 4, 3, body[0], body[1], 0}
			if n := strings.Count(string(body), "$aws"); n > 0 {
				answer = append([]byte{packet.Suback << 4, byte(2 + n + 1), body[0], body[1]}, make([]byte, n+1)...)
			}
		case packet.Publish:
			p, err := packet.ParsePublish(first, body)
			if err != nil {
				return
			}
			if !strings.HasSuffix(p.Topic, "/get") { // which begins each session
				m.mu.Lock()
				m.got[device] = append(m.got[device], fmt.Sprintf("%s %.40s %d", p.Topic, p.Payload, len(p.Payload)))
				m.mu.Unlock()
			}
			if p.QoS > 0 {
				answer = packet.AppendPuback(nil, p.ID)
			}
		case packet.Pingreq:
			answer = []byte{packet.Pingresp << 4, 0}
		}
		if m.delay > 0 && answer != nil {
			time.Sleep(time.Duration(m.upTo(int(m.delay)))) // a slow broker
		}
		if left > 0 {
			if left--; left == 0 {
				m.mu.Lock()
				m.cut++
				m.mu.Unlock()
				c.CloseWrite()
				continue
			}
		}
		if answer != nil && left != 0 {
			c.Write(answer)
		}
	}
}

func readPacket(r *bufio.Reader) (first byte, body []byte, err error) {
	head, err := r.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	for n := 3; ; n++ {
		_, length, size, err := packet.Header(head)
		switch {
		case err != nil:
			return 0, nil, err
		case size > 0:
			all := make([]byte, size+length)
			_, err := io.ReadFull(r, all)
			return all[0], all[size:], err
		}
		if head, err = r.Peek(n); err != nil {
			return 0, nil, err
		}
	}
}

// messages are what each device has sent.
func (m *moody) messages() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got
}

const eventful = `name: eventful
interval: 50ms
ramp: 200/s
types: {telemetry: 1, switch: 1, bulb: 1}
phases:
  - {name: few, for: 1s, connected: 50%}
  - {name: all, for: 1s, interval: 30ms}
  - {name: end, for: 1s}
faults:
  - {at: all, do: malformed, share: 30%, for: 500ms, group: bad}
  - {at: all+500ms, do: flood, rate: 100/s, share: 30%, for: 300ms, group: bad}
  - {at: all+200ms, do: oversize, size: 1KiB, devices: 2}
  - {at: all+300ms, do: break, share: 40%}
  - {at: end, do: restart, share: 30%, group: bad}
  - {at: end, do: wrong-topic, devices: 3, for: 500ms}
  - {at: end, do: stuck, devices: 3}
`

// rehearse runs a scenario at a broker to its end.
func rehearse(t *testing.T, m *moody, text string, seed uint64) Report {
	t.Helper()
	s, err := scenario.Parse("s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := small("mqtt://" + m.l.Addr().String())
	o.Devices, o.Types, o.Interval, o.Ramp, o.Defender, o.Seed = 24, nil, 0, 0, 0, seed
	o.Follow(s)
	f, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(context.Background()); err != nil {
		t.Error(err)
	}
	return f.Report()
}

// Two runs with one seed send the same messages of each device in the same order, whatever the
// network does; those with another seed do not.
func TestSameMessages(t *testing.T) {
	t.Parallel()
	brokers := []*moody{newMoody(t, 0, 0), newMoody(t, 20*time.Millisecond, 0), newMoody(t, 10*time.Millisecond, 40), newMoody(t, 0, 0)}
	var running sync.WaitGroup
	for i, m := range brokers {
		seed := uint64(7)
		if i == 3 {
			seed = 8
		}
		running.Go(func() { rehearse(t, m, eventful, seed) })
	}
	running.Wait()
	one := brokers[0].messages()
	if len(one) != 24 {
		t.Fatalf("%d devices", len(one))
	}
	for i, other := range brokers[1:3] {
		for device, all := range other.messages() {
			n := min(len(all), len(one[device]))
			if !slices.Equal(all[:n], one[device][:n]) {
				for k := range n {
					if all[k] != one[device][k] {
						t.Errorf("broker %d: the message %d of %s is %q, and was %q", i+1, k, device, all[k], one[device][k])
						break
					}
				}
			}
			if n < 5 {
				t.Errorf("broker %d: only %d messages of %s", i+1, n, device)
			}
		}
	}
	if brokers[2].cut == 0 {
		t.Error("no session was ended")
	}
	differ := 0
	for device, all := range brokers[3].messages() {
		if n := min(len(all), len(one[device])); !slices.Equal(all[:n], one[device][:n]) {
			differ++
		}
	}
	if differ < 12 {
		t.Errorf("with another seed %d devices send something else", differ)
	}
}
