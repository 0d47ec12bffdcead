package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What attackers may cost: memory of the whole process beyond what it has before, at
// the default budget of 16 MiB, and the time that another client's next message then
// takes to the process's own client and back.
//
// The budget is 16 MiB of what is kept. The garbage collector lets a quarter more pile
// up in the agent (GOGC=25), packets are copied while they are read, 1 MiB each, and
// the kernel gives memory in larger pieces.
const (
	attackMemory = 40 << 20
	attackTime   = 3 * time.Second // on two busy processors; it is some ms
	attackLines  = 40              // logged
)

// TestBrokerProcess is no test, but the process that is attacked: a broker with a
// client of its own, which answers "own/ping" with "own/pong".
func TestBrokerProcess(t *testing.T) {
	if os.Getenv("BROKER_PROCESS") == "" {
		t.Skip("run by TestAttacks")
	}
	debug.SetGCPercent(25) // as cmd/pithings does
	lines := new(atomic.Int64)
	log := slog.New(slog.NewTextHandler(countLines{lines}, nil))
	b, err := Start("127.0.0.1:0", Options{AllowAnonymous: true, Users: []User{{Name: "ann", Hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$ki2QQIMdi3gALFf4XR64Y9rn4F8+JEUu2h0iBExveQo"}}}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := b.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := &wire{TB: t, Conn: c, r: bufio.NewReader(c)}
	own.connect("agent", 0)
	own.subscribe(1, "own/ping")
	go func() {
		for {
			c.SetReadDeadline(time.Time{})
			p, err := own.nextWhenever()
			if err != nil {
				fmt.Println("own client ended:", err)
				return
			}
			if p.kind == 3 {
				_, payload, id := p.message()
				own.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
				own.send(publishPacket("own/pong", []byte(payload), 1, 1, false))
			}
		}
	}()
	fmt.Println("listening", b.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		s := b.Stats()
		fmt.Println("stats", s.Used, s.Max, s.Evicted, lines.Load())
	}
}

type countLines struct{ n *atomic.Int64 }

func (c countLines) Write(b []byte) (int, error) { c.n.Add(1); return os.Stderr.Write(b) }

// nextWhenever reads a packet, however long it takes.
func (w *wire) nextWhenever() (packet, error) {
	for {
		if _, err := w.r.Peek(1); err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				w.SetReadDeadline(time.Time{})
				continue
			}
			return packet{}, err
		}
		return w.next()
	}
}

// victim is a broker in a process of its own.
type victim struct {
	*testing.T
	cmd   *exec.Cmd
	addr  string
	in    io.Writer
	out   *bufio.Scanner
	good  *wire // another client, at another address
	conns []net.Conn
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{T: t, cmd: exec.Command(os.Args[0], "-test.run=^TestBrokerProcess$")}
	v.cmd.Env = append(os.Environ(), "BROKER_PROCESS=1")
	v.in, _ = v.cmd.StdinPipe()
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.cmd.Process.Kill(); v.cmd.Wait() })
	v.out = bufio.NewScanner(out)
	for v.out.Scan() {
		if addr, ok := strings.CutPrefix(v.out.Text(), "listening "); ok {
			v.addr = addr
			break
		}
	}
	v.good = v.from("127.0.0.2")
	v.good.connect("good", 0)
	v.good.subscribe(1, "own/pong")
	return v
}

// from opens a connection from an address of the loopback network.
func (v *victim) from(ip string) *wire {
	v.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
	c, err := d.Dial("tcp", v.addr)
	if err != nil {
		v.Fatal(err)
	}
	v.conns = append(v.conns, c)
	v.Cleanup(func() { c.Close() })
	return &wire{TB: v, Conn: c, r: bufio.NewReader(c)}
}

// attacker opens a connection and does not fail when it is closed.
func (v *victim) attacker() *wire { return v.from("127.0.0.1") }

// try writes what an attacker sends, for as long as the broker takes it: an attack is
// over when it does not.
func (w *wire) try(b []byte) bool {
	w.SetWriteDeadline(time.Now().Add(2 * time.Second))
	_, err := w.Write(b)
	return err == nil
}

// join connects, or does not.
func (w *wire) join(b []byte) bool {
	if !w.try(b) {
		return false
	}
	p, err := w.next()
	return err == nil && p.kind == 2 && p.body[1] == 0
}

// memory reads a figure of the process in bytes: VmRSS now, VmHWM at its peak.
func (v *victim) memory(name string) int {
	v.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		v.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == name+":" {
			n, _ := strconv.Atoi(f[1])
			return n << 10
		}
	}
	v.Fatal("no " + name)
	return 0
}

// stats asks the process for bytes used, the budget, evictions and lines logged.
func (v *victim) stats() (used, limit, evicted, lines int) {
	v.Helper()
	fmt.Fprintln(v.in)
	for v.out.Scan() {
		if s, ok := strings.CutPrefix(v.out.Text(), "stats "); ok {
			fmt.Sscan(s, &used, &limit, &evicted, &lines)
			return
		}
		v.Error(v.out.Text())
	}
	v.Fatal("the process ended")
	return
}

// ping sends a message to the process's own client and waits for its answer.
func (v *victim) ping() time.Duration {
	v.Helper()
	began := time.Now()
	v.good.send(publishPacket("own/ping", []byte(strconv.Itoa(int(began.UnixNano()))), 1, 9, false))
	for {
		p := v.good.await(3)
		topic, payload, id := p.message()
		v.good.send([]byte{0x40, 2, byte(id >> 8), byte(id)})
		if topic == "own/pong" && payload == strconv.Itoa(int(began.UnixNano())) {
			return time.Since(began)
		}
	}
}

func u16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// attacks are what any client may try that can open a connection. n makes the quick form
// of the test smaller.
var attacks = []struct {
	name string
	do   func(v *victim, n func(int) int)
}{
	// 300 MB to subscribers that do not read made 19.7 GB.
	{"slow subscribers", func(v *victim, n func(int) int) {
		for i := range 40 {
			w := v.attacker()
			w.join(connectPacket(4, 2, fmt.Sprint("slow", i)))
			w.try(subscribePacket(1, byte(i%3), "flood/#"))
		}
		p := v.attacker()
		p.join(connectPacket(4, 2, "publisher"))
		big := publishPacket("flood/x", make([]byte, 500_000), 0, 0, false)
		for range n(600) {
			if !p.try(big) {
				p = v.attacker()
				p.join(connectPacket(4, 2, "publisher"))
			}
		}
	}},
	// 16 messages of 500 KB ended an agent with 400 MB.
	{"sessions left behind", func(v *victim, n func(int) int) {
		for i := range 60 {
			w := v.attacker()
			w.join(connectPacket(4, 0, fmt.Sprint("left", i)))
			w.try(subscribePacket(1, 1, "flood/#"))
			w.next()
			w.Close()
		}
		p := v.attacker()
		p.join(connectPacket(4, 2, "publisher"))
		go io.Copy(io.Discard, p.r)
		for i := range n(600) {
			p.try(publishPacket("flood/x", make([]byte, 500_000), 1, uint16(1+i), false))
		}
	}},
	{"many sessions", func(v *victim, n func(int) int) {
		for i := range n(6000) {
			w := v.attacker()
			w.try(append(connectPacket(4, 0, fmt.Sprint("session", i)), subscribePacket(1, 1, fmt.Sprintf("x/%d/#", i))...))
			w.next()
			w.next()
			w.Close()
		}
	}},
	{"large retained messages", func(v *victim, n func(int) int) {
		w := v.attacker()
		w.join(connectPacket(4, 2, "retain"))
		for i := range n(300) {
			w.try(publishPacket(fmt.Sprint("keep/", i), make([]byte, 1_000_000), 0, 0, true))
		}
	}},
	{"many retained messages", func(v *victim, n func(int) int) {
		w := v.attacker()
		w.join(connectPacket(4, 2, "retain"))
		for i := range n(200_000) {
			w.try(publishPacket(fmt.Sprint("k/", i), []byte("x"), 0, 0, true))
		}
	}},
	{"large packets half sent", func(v *victim, _ func(int) int) {
		half := publishPacket("x", make([]byte, 1_000_000), 0, 0, false)[:999_000]
		for i := range 250 {
			w := v.attacker()
			w.try(append(connectPacket(4, 2, fmt.Sprint("half", i)), half...))
		}
	}},
	{"CONNECT half sent", func(v *victim, _ func(int) int) {
		for range 250 {
			w := v.attacker()
			w.try(connectPacket(4, 2, strings.Repeat("x", 65_000))[:64_000])
		}
	}},
	{"large ids and wills", func(v *victim, _ func(int) int) {
		for i := range 250 {
			w := v.attacker()
			w.join(connectPacket(4, 4, fmt.Sprint(i, strings.Repeat("x", 20_000)), str("w"), str(strings.Repeat("w", 40_000))))
		}
	}},
	{"all places taken", func(v *victim, _ func(int) int) {
		for i := range 300 {
			v.attacker().join(connectPacket(4, 2, fmt.Sprint("place", i)))
		}
	}},
	{"connections without CONNECT", func(v *victim, n func(int) int) {
		for range n(2000) {
			v.attacker()
		}
	}},
	{"many filters", func(v *victim, n func(int) int) {
		for i := range 100 {
			w := v.attacker()
			w.join(connectPacket(4, 2, fmt.Sprint("filters", i)))
			for j := range n(20) {
				var list []string
				for k := range 100 {
					list = append(list, fmt.Sprintf("f/%d/%d/%d/+/#", i, j, k))
				}
				w.try(subscribePacket(1, 0, list...))
			}
		}
	}},
	{"deep filters", func(v *victim, n func(int) int) {
		for i := range 50 {
			w := v.attacker()
			w.join(connectPacket(4, 2, fmt.Sprint("deep", i)))
			for j := range n(200) {
				w.try(subscribePacket(1, 0, fmt.Sprint(i, "/", j, strings.Repeat("/x", 190)), strings.Repeat("/", 60_000)))
			}
		}
	}},
	{"wildcard storm", func(v *victim, n func(int) int) {
		w := v.attacker()
		w.join(connectPacket(4, 2, "retain"))
		for i := range 2000 {
			w.try(publishPacket(fmt.Sprint("storm/", i), make([]byte, 1000), 0, 0, true))
		}
		w = v.attacker()
		w.join(connectPacket(4, 2, "storm"))
		for range n(3000) {
			if !w.try(subscribePacket(1, 1, "#", "+/+", "storm/#")) {
				break
			}
		}
	}},
	{"wills", func(v *victim, n func(int) int) {
		for i := range n(2000) {
			w := v.attacker()
			w.join(connectPacket(4, 2|4|0x20, fmt.Sprint("will", i), str(fmt.Sprint("will/", i)), str(strings.Repeat("w", 40_000))))
			w.Close()
		}
	}},
	{"delayed wills", func(v *victim, n func(int) int) {
		for i := range n(2000) {
			w := v.attacker()
			w.join(connectPacket(5, 2|4|0x20, fmt.Sprint("late", i), []byte{5, 24, 0, 0, 255, 0}, str(fmt.Sprint("late/", i)), str(strings.Repeat("w", 40_000))))
			w.Close()
		}
	}},
	{"answers that are not read", func(v *victim, n func(int) int) {
		pings := make([]byte, 0, 1<<16)
		for len(pings) < 1<<16-2 {
			pings = append(pings, 0xc0, 0)
		}
		for i := range 20 {
			w := v.attacker()
			w.join(connectPacket(4, 2, fmt.Sprint("ping", i)))
			w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for range n(400) {
				if _, err := w.Write(pings); err != nil {
					break
				}
			}
		}
	}},
	{"QoS 2 that is never released", func(v *victim, _ func(int) int) {
		for i := range 100 {
			w := v.attacker()
			w.join(connectPacket(4, 0, fmt.Sprint("two", i)))
			var all []byte
			for id := range 1000 {
				all = append(all, publishPacket("two", nil, 2, uint16(1+id), false)...)
			}
			w.try(all)
		}
	}},
	{"properties", func(v *victim, n func(int) int) {
		props := []byte{}
		for len(props) < 900_000 {
			props = append(props, 38, 0, 0, 0, 0) // user property, both strings empty
		}
		for i := range 20 {
			w := v.attacker()
			w.join(connectPacket(5, 2, fmt.Sprint("props", i)))
			for range n(10) {
				w.try(frame(0x30, str("p"), length(len(props)), props))
				w.try(frame(0x30, str("p"), length(60_000), props[:60_000]))
			}
		}
	}},
	{"topic aliases", func(v *victim, n func(int) int) {
		w := v.attacker()
		w.join(connectPacket(5, 2, "alias"))
		for i := range n(2000) {
			if !w.try(frame(0x30, str(strings.Repeat("a", 60_000)), []byte{3, 35}, u16(i+1), []byte("x"))) {
				break
			}
		}
	}},
	{"topics of many levels", func(v *victim, n func(int) int) {
		s := v.attacker()
		s.join(connectPacket(4, 2, "levels"))
		s.try(subscribePacket(1, 0, "#", "+/+/#"))
		w := v.attacker()
		w.join(connectPacket(4, 2, "deep topics"))
		for range n(2000) {
			w.try(publishPacket(strings.Repeat("/", 65_000), nil, 0, 0, false))
		}
	}},
	{"wrong passwords", func(v *victim, n func(int) int) {
		for i := range n(1000) {
			w := v.attacker()
			w.join(connectPacket(4, 2|0xc0, fmt.Sprint("guess", i), str([]string{"ann", "bob"}[i%2]), str(fmt.Sprint(i))))
		}
	}},
	{"same id", func(v *victim, n func(int) int) {
		for range n(1000) {
			w := v.attacker()
			w.try(connectPacket(4, 0, "agent"))
			w = v.attacker()
			w.try(connectPacket(4, 0, "taken over and over"))
		}
	}},
}

// Any client that may open a connection could end the agent: 16 messages of 500 KB with
// 400 MB for all, 300 MB sent made 19.7 GB. Now each of these is bounded, and other
// clients and the process's own continue.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			v := newVictim(t)
			v.ping()
			before := v.memory("VmRSS")
			began := time.Now()
			a.do(v, func(n int) int { return n / attackScale })
			took := time.Since(began)
			answer := v.ping()
			began = time.Now()
			v.from("127.0.0.3").connect("newcomer", 2)
			answer = max(answer, time.Since(began))
			peak := v.memory("VmHWM") - before
			used, limit, evicted, lines := v.stats()
			t.Logf("%.1f s; peak %.1f MB; answer after %v; %d kB of %d used; %d evicted; %d lines", took.Seconds(), float64(peak)/1e6, answer.Round(10*time.Microsecond), used/1000, limit/1000, evicted, lines)
			if peak > attackMemory && !raceDetector || used > limit {
				t.Errorf("the process took %d bytes more, the limit is %d; it counted %d of %d", peak, attackMemory, used, limit)
			}
			if answer > attackTime {
				t.Errorf("the next message took %v, the limit is %v", answer, attackTime)
			}
			if lines > attackLines {
				t.Errorf("%d lines were logged, the limit is %d", lines, attackLines)
			}
		})
	}
}
