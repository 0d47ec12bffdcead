package things

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
	"pithings/mqttlink/outbox"
)

// slow is a client whose messages are delivered when the test says so.
type slow struct {
	*linktest.Client
	deliver []func()
	stats   mqttlink.Stats
}

func (s *slow) Publish(_ context.Context, m mqttlink.Message) error {
	s.deliver = append(s.deliver, m.Delivered)
	return nil
}

// printed is a buffer that the goroutines of a transcript share with the test.
type printed struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

func (p *printed) Len() int { return len(p.String()) }

func (p *printed) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b.Reset()
}

// run prints the lines of a transcript until the test ends.
func run(t *testing.T, tr *Transcript) *Transcript {
	go tr.Run(t.Context())
	return tr
}

// "Published" is said of what the broker has, and of nothing else: with a wrong
// certificate there was an endless stream of success.
func TestPublishedIsWhatTheBrokerHas(t *testing.T) {
	message := mqttlink.Message{Topic: "TG_MS/motion", Payload: []byte(`{"isMotionDetected": true}`), QoS: 1}
	const published = "Published topic TG_MS/motion: {\"isMotionDetected\": true}\n"
	const queued = "Queued topic TG_MS/motion: {\"isMotionDetected\": true}, "
	one := outbox.Stats{Messages: 1}
	online := mqttlink.Stats{State: mqttlink.Online, Outbox: one}
	refused := mqttlink.Stats{State: mqttlink.Offline, LastError: "the broker's certificate is signed by an unknown authority"}
	refused.Outbox.Messages = 3
	for name, tc := range map[string]struct {
		stats  mqttlink.Stats
		before string // the broker has it
		late   string // before, when it has not come for long
		after  string // the broker has it
	}{
		"acknowledged": {online, "", queued + "1 wait: the broker has not acknowledged it yet\n", published},
		"connecting":   {mqttlink.Stats{Outbox: one}, "", queued + "1 wait: no answer from the broker yet\n", published},
		"wrong CA": {refused, queued + "3 wait: the broker's certificate is signed by an unknown authority\n",
			queued + "3 wait: the broker's certificate is signed by an unknown authority\n", published},
		"clock": {mqttlink.Stats{State: mqttlink.Online, Waiting: 1, Outbox: one}, queued + "1 wait: this machine's clock is not known to be right yet\n",
			queued + "1 wait: this machine's clock is not known to be right yet\n", published},
	} {
		for _, late := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var out printed
				s := &slow{stats: tc.stats}
				c := run(t, NewTranscript(&out)).Client(s, func() mqttlink.Stats { return s.stats })
				if err := c.Publish(t.Context(), message); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := out.String(); got != tc.before {
					t.Errorf("%s: %q before, want %q", name, got, tc.before)
				}
				want := tc.before
				if late {
					time.Sleep(grace)
					synctest.Wait()
					if want = tc.late; out.String() != want {
						t.Errorf("%s: %q after %v, want %q", name, out.String(), grace, want)
					}
				}
				s.deliver[0]()
				synctest.Wait()
				if got := out.String(); got != want+tc.after {
					t.Errorf("%s: %q in the end, want %q", name, got, want+tc.after)
				}
			})
		}
	}
}

// The line of an answer stands behind that of its cause, also if it arrives before the
// broker's acknowledgement; but it does not wait for long.
func TestAnswerBehindItsCause(t *testing.T) {
	for _, acknowledged := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var out printed
			link := linktest.New()
			defer link.Close()
			s := &slow{Client: link, stats: mqttlink.Stats{State: mqttlink.Online}}
			c := run(t, NewTranscript(&out)).Client(s, func() mqttlink.Stats { return s.stats })
			if _, err := c.Subscribe("b", 1, func(context.Context, mqttlink.Message) {}); err != nil {
				t.Fatal(err)
			}
			if err := c.Publish(t.Context(), mqttlink.Message{Topic: "a", QoS: 1}); err != nil {
				t.Fatal(err)
			}
			if err := link.Inject(mqttlink.Message{Topic: "b"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if out.Len() > 0 {
				t.Errorf("%q before its cause", out.String())
			}
			want := "Received message on topic b: \n"
			if acknowledged {
				s.deliver[0]()
				want = "Published topic a: \n" + want
			} else {
				time.Sleep(orderPatience)
			}
			synctest.Wait()
			if out.String() != want {
				t.Errorf("%q, want %q", out.String(), want)
			}
		})
	}
}

// What the network sends is printed at a bounded rate, each line of it bounded, and the
// transcript says what it lacks. What comes at a usual rate is there byte for byte.
func TestTranscriptOfAFloodIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out printed
		tr := run(t, NewTranscript(&out))
		link := linktest.New()
		defer link.Close()
		c := tr.Client(link, func() mqttlink.Stats { return mqttlink.Stats{State: mqttlink.Online} })
		if _, err := c.Subscribe("#", 0, func(context.Context, mqttlink.Message) {}); err != nil {
			t.Fatal(err)
		}
		receive := func(m mqttlink.Message) {
			if err := link.Inject(m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		for range 1000 {
			receive(mqttlink.Message{Topic: "a", Payload: []byte("{}")})
		}
		if want := strings.Repeat("Received message on topic a: {}\n", 1000); out.String() != want {
			t.Errorf("%d bytes, want %d", out.Len(), len(want))
		}
		out.Reset()
		const n, seconds = 30_000, 3
		for i := range n {
			m := mqttlink.Message{Topic: "a", Payload: []byte("{}")}
			if i%1000 == 0 {
				m = mqttlink.Message{Topic: strings.Repeat("t", 65_000), Payload: bytes.Repeat([]byte("\x01"), 500<<10)}
			}
			receive(m)
			time.Sleep(seconds * time.Second / n)
		}
		time.Sleep(time.Second)
		receive(mqttlink.Message{Topic: "b"})
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) > 2*(lineBurst+(seconds+1)*lineRate) {
			t.Errorf("%d lines of %d messages", len(lines), n)
		}
		written, leftOut := 0, 0
		for _, l := range lines {
			if len(l) > 10*printAtMost {
				t.Errorf("a line of %d bytes", len(l))
			}
			var few int
			if _, err := fmt.Sscanf(l, "(%d lines left out:", &few); err == nil {
				leftOut += few
			} else {
				written++
			}
		}
		if written+leftOut != n+1 {
			t.Errorf("%d lines and %d left out of %d", written, leftOut, n+1)
		}
	})
}

// stalled is a client whose Publish returns when the test ends.
type stalled struct{ *linktest.Client }

func (s stalled) Publish(ctx context.Context, _ mqttlink.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

// A thing whose Publish is stalled delays no command to another one, and neither does a
// terminal that has stopped reading.
func TestCommandsAreHandledWhileAnotherThingIsStalled(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var out printed
			var w io.Writer = &out
			if terminal {
				r, stuck := io.Pipe()
				defer r.Close()
				w = stuck
			}
			tr := run(t, NewTranscript(w))
			online := func() mqttlink.Stats { return mqttlink.Stats{State: mqttlink.Online} }
			a, b := linktest.New(), linktest.New()
			defer a.Close()
			defer b.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go tr.Client(stalled{a}, online).Publish(ctx, mqttlink.Message{Topic: "a/motion", QoS: 1})
			synctest.Wait()
			other := tr.Client(b, online)
			handled := 0
			if _, err := other.Subscribe("b/capture", 1, func(ctx context.Context, m mqttlink.Message) {
				handled++
				if err := other.Publish(ctx, mqttlink.Message{Topic: "b/finished"}); err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			for range 100 {
				if err := b.Inject(mqttlink.Message{Topic: "b/capture"}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			if took := time.Since(began); took > 0 || handled != 100 {
				t.Errorf("%d commands are handled after %v", handled, took)
			}
			if terminal {
				return
			}
			time.Sleep(orderPatience) // the lines wait for that of a, but not for long
			synctest.Wait()
			const pair = "Received message on topic b/capture: \nPublished topic b/finished: \n"
			if want := strings.Repeat(pair, 100); out.String() != want {
				t.Errorf("%q", out.String())
			}
		})
	}
}

// Lines without a reader take a bounded amount of memory, and their number is printed when
// they are read again.
func TestLinesOfASlowTerminalAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out printed
		tr := NewTranscript(&out) // nothing is printed yet
		link := linktest.New()
		defer link.Close()
		c := tr.Client(link, func() mqttlink.Stats { return mqttlink.Stats{State: mqttlink.Online} })
		if _, err := c.Subscribe("#", 0, func(context.Context, mqttlink.Message) {}); err != nil {
			t.Fatal(err)
		}
		const n = 4000
		for range n {
			if err := link.Inject(mqttlink.Message{Topic: "a", Payload: bytes.Repeat([]byte("x"), 1000)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if tr.lines.size > lineQueueMost {
			t.Errorf("%d bytes wait", tr.lines.size)
		}
		run(t, tr)
		time.Sleep(orderPatience)
		synctest.Wait()
		var left int
		if _, err := fmt.Sscanf(out.String(), "(%d lines left out: the output is not read fast enough)\n", &left); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n") - 1; lines+left != n || lines < 500 {
			t.Errorf("%d lines and %d left out of %d", lines, left, n)
		}
	})
}

// Run prints what is left when it ends.
func TestTranscriptPrintsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out printed
		tr := NewTranscript(&out)
		s := &slow{stats: mqttlink.Stats{State: mqttlink.Online}}
		c := tr.Client(s, func() mqttlink.Stats { return s.stats })
		if err := c.Publish(t.Context(), mqttlink.Message{Topic: "a"}); err != nil {
			t.Fatal(err)
		}
		tr.received("Received message on topic b: ") // it waits for the line of a
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := tr.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if out.String() != "Received message on topic b: \n" {
			t.Errorf("%q", out.String())
		}
		s.deliver[0]()
	})
}
