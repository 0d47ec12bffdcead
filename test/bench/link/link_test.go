package link

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	built "pithings/test/binary"
)

const payload = 256 // bytes of a message

// link returns a link over mutual TLS with an outbox on disk, not running yet.
func (n *bench) link(dir string, sync outbox.Sync) (*mqttlink.Link, *outbox.Disk) {
	box, err := outbox.Open(dir, outbox.DiskOptions{Sync: sync})
	if err != nil {
		n.Fatal(err)
	}
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Outbox = "mqtts://"+n.tls, "bench-link", box
	o.CA, o.Cert, o.Key = n.certs.File("ca.pem"), n.certs.File("client.pem"), n.certs.File("client.key")
	l, err := mqttlink.New(o)
	if err != nil {
		n.Fatal(err)
	}
	return l, box
}

func (n *bench) run(l *mqttlink.Link) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// BenchmarkDrain drains a backlog of 256-byte messages from disk over mutual TLS, with
// the default window of 20, to one subscriber, which checks that they are in order.
func BenchmarkDrain(b *testing.B) {
	n := newBench(b)
	const messages = 60000
	for b.Loop() {
		l, box := n.link(b.TempDir(), outbox.SyncInterval)
		message := mqttlink.Message{Topic: "bench/drain", Payload: make([]byte, payload), QoS: 1}
		for i := range messages {
			binary.BigEndian.PutUint64(message.Payload, uint64(i))
			if err := l.Publish(b.Context(), message); err != nil {
				b.Fatal(err)
			}
		}
		got := subscribe(b, n.plain, messages)
		began := time.Now()
		stop := n.run(l)
		if err := <-got; err != nil {
			b.Fatal(err)
		}
		if err := l.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		stop()
		if err := box.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(messages/took.Seconds(), "msg/s")
	}
	b.ReportMetric(0, "ns/op")
}

// subscribe takes the messages of BenchmarkDrain as cheaply as it can: a hand-written
// subscriber with QoS 0, so that what is measured is the publisher.
func subscribe(b *testing.B, addr string, messages int) <-chan error {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	c.Write([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03sub")) // CONNECT, clean session, no keep-alive
	c.Write([]byte("\x82\x10\x00\x01\x00\x0bbench/drain\x00"))         // SUBSCRIBE
	r := bufio.NewReaderSize(c, 256<<10)
	if _, err := io.CopyN(io.Discard, r, 4+5); err != nil { // CONNACK, SUBACK
		b.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		head := make([]byte, 3) // a remaining length of two bytes
		body := make([]byte, 2+len("bench/drain")+payload)
		for i := range messages {
			if _, err := io.ReadFull(r, head); err != nil {
				result <- err
				return
			}
			if _, err := io.ReadFull(r, body); err != nil {
				result <- err
				return
			}
			if got := binary.BigEndian.Uint64(body[2+len("bench/drain"):]); head[0] != 0x30 || got != uint64(i) {
				result <- fmt.Errorf("message %d came in the place of %d", got, i)
				return
			}
		}
		result <- nil
	}()
	return result
}

// BenchmarkRoundTrip compares the time from Publish to PUBACK over mutual TLS, with an
// outbox on disk that is synced at intervals, with that of the bare client library.
func BenchmarkRoundTrip(b *testing.B) {
	n := newBench(b)
	l, box := n.link(b.TempDir(), outbox.SyncInterval)
	defer box.Close()
	defer n.run(l)()
	message := mqttlink.Message{Topic: "bench/rtt", Payload: make([]byte, payload), QoS: 1}
	ours := func() {
		if err := l.Publish(context.Background(), message); err != nil {
			b.Fatal(err)
		}
		if err := l.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + n.tls).SetClientID("bench-paho").SetTLSConfig(n.tlsConfig()).SetProtocolVersion(4)
	bare := mqtt.NewClient(o)
	if t := bare.Connect(); t.Wait() && t.Error() != nil {
		b.Fatal(t.Error())
	}
	defer bare.Disconnect(100)
	theirs := func() {
		if t := bare.Publish(message.Topic, 1, false, message.Payload); t.Wait() && t.Error() != nil {
			b.Fatal(t.Error())
		}
	}
	for b.Loop() {
		times := alternate(100, 50, theirs, ours)
		b.ReportMetric(p50(times[1])/p50(times[0]), "p50/paho")
		b.ReportMetric(p50(times[1]), "p50-µs")
		b.ReportMetric(p50(times[0]), "paho-p50-µs")
	}
	b.ReportMetric(0, "ns/op")
}

// alternate calls the functions in turn, in blocks.
func alternate(rounds, block int, do ...func()) [][]time.Duration {
	times := make([][]time.Duration, len(do))
	for round := range rounds {
		for k := range do {
			if round%2 == 1 {
				k = len(do) - 1 - k
			}
			for range block {
				began := time.Now()
				do[k]()
				times[k] = append(times[k], time.Since(began))
			}
		}
	}
	return times
}

// p50 is the median in microseconds.
func p50(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2]) / 1e3
}

// BenchmarkPubLines counts the lines that `pithings pub -l` makes safe in a second: one
// at a time, each waiting for its answer, and as many as a pipe holds.
func BenchmarkPubLines(b *testing.B) {
	program := filepath.Join(b.TempDir(), "pithings")
	if err := built.Build(program); err != nil {
		b.Fatal(err)
	}
	for _, oneAtATime := range []bool{true, false} {
		b.Run(fmt.Sprintf("one at a time %v", oneAtATime), func(b *testing.B) {
			const lines = 20000
			for b.Loop() {
				cmd := exec.Command(program, "pub", "-l", "-t", "bench/lines", "--state", b.TempDir())
				cmd.Stderr = os.Stderr
				in, err := cmd.StdinPipe()
				if err != nil {
					b.Fatal(err)
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				line := append(bytes.Repeat([]byte("x"), payload), '\n')
				answers := bufio.NewReader(out)
				answer := func() {
					if text, err := answers.ReadSlice('\n'); err != nil || !bytes.HasPrefix(text, []byte("safe ")) {
						b.Fatal(string(text), err)
					}
				}
				in.Write(line)
				answer() // it has started
				began := time.Now()
				if oneAtATime {
					for range lines {
						in.Write(line)
						answer()
					}
				} else {
					go in.Write(bytes.Repeat(line, lines))
					for range lines {
						answer()
					}
				}
				took := time.Since(began)
				in.Close()
				if err := cmd.Wait(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(lines/took.Seconds(), "lines/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
