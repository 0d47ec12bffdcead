package things

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"pithings/mqttlink"
	"pithings/quietlog"
)

// Transcript prints what passes through the clients of a process in the lines that the
// Things Graph example devices print:
//
//	Published topic TG_MS/motion: {"isMotionDetected": true}
//	Received message on topic TG_Camera/capture: {}
//
// The first of them is printed when the broker has the message. One that has to wait is
// printed as
//
//	Queued topic TG_MS/motion: {"isMotionDetected": true}, 3 wait: no broker answers at …
//
// and once more as published when it has been delivered.
//
// An answer may arrive before the acknowledgement of the command that caused it. One
// Transcript serves all clients of a process, so that the answer's line still never stands
// before its cause's: it waits for the line of each message that was published before it.
// Only the line waits, in a bounded queue that [Transcript.Run] prints. The message itself is
// handled at once, whatever another thing's Publish or the terminal does.
type Transcript struct {
	w   io.Writer
	end string // of a line

	mu        sync.Mutex // never held while something blocks
	ours      *quietlog.Rate
	others    *quietlog.Rate // lines of what we receive
	pending   []*publication // in order; the oldest are forgotten
	published uint64         // messages so far
	lines     lineQueue
	changed   chan struct{} // has a token when lines or pending have changed
}

// publication is a message that the broker does not have yet.
type publication struct {
	n     uint64 // the messages of a transcript are counted from 1
	text  string
	stats func() mqttlink.Stats
	late  *time.Timer // prints that it waits
	over  bool        // a line about it is queued or printed, or none will be
}

const (
	// grace is how long a message may take without being called queued, as long as
	// nothing is known to be wrong: a connection over TLS takes a small Pi seconds.
	grace = 5 * time.Second
	// orderPatience is how long the line of a received message waits for those of messages
	// published before, which may have caused it.
	orderPatience = 250 * time.Millisecond
	// lineBurst lines of either direction are printed at once, and then lineRate a
	// second: who may send messages may send any number of them.
	lineBurst = 5000
	lineRate  = 500
	// topicAtMost bounds the part of a topic that is printed, in bytes; AWS IoT Core
	// takes 256, MQTT 65535.
	topicAtMost = 1024
	// pendingMost bounds the messages that are printed when they are delivered at last.
	pendingMost = 1000
)

// NewTranscript returns a transcript that goes to w. Nothing is printed before Run.
func NewTranscript(w io.Writer) *Transcript { return newTranscript(w, "\n") }

// NewScriptTranscript returns one with an empty line behind each line, as the
// publishing script of the BME680 tutorial prints it.
func NewScriptTranscript(w io.Writer) *Transcript { return newTranscript(w, "\n\n") }

func newTranscript(w io.Writer, end string) *Transcript {
	return &Transcript{w: w, end: end, ours: quietlog.NewRate(lineBurst, lineRate), others: quietlog.NewRate(lineBurst, lineRate),
		changed: make(chan struct{}, 1)}
}

// Client returns c with every message printed. stats are those of the link behind c. A
// nil Transcript prints nothing.
func (t *Transcript) Client(c mqttlink.Client, stats func() mqttlink.Stats) mqttlink.Client {
	if t == nil {
		return c
	}
	return transcribed{c, t, stats}
}

// Run prints the lines until ctx is done, and then those that are left.
func (t *Transcript) Run(ctx context.Context) error {
	for {
		text, wait := t.next(time.Now(), ctx.Err() != nil)
		if text != "" {
			_, _ = io.WriteString(t.w, text) // a reader that went away ends the program elsewhere
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		t.sleep(ctx, wait)
	}
}

// sleep waits for a change, at most as long as wait says; 0 is for ever.
func (t *Transcript) sleep(ctx context.Context, wait time.Duration) {
	var timeout <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-t.changed:
	case <-timeout:
	case <-ctx.Done():
	}
}

// next takes the next line. Without one it returns how long the first one may still have to
// wait; 0: there is none. At the end no line waits.
func (t *Transcript) next(now time.Time, atEnd bool) (text string, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.lines.first()
	if first == nil {
		return "", 0
	}
	if wait := first.until.Sub(now); wait > 0 && !atEnd && t.waitsFor(first) {
		return "", wait
	}
	text, unread := t.lines.pop()
	if unread > 0 {
		text = fmt.Sprintf("(%d lines left out: the output is not read fast enough)%s%s", unread, t.end, text)
	}
	return text, 0
}

// waitsFor reports whether a message that was published before l came has no line yet; t.mu
// is held.
func (t *Transcript) waitsFor(l *queuedLine) bool {
	i := slices.IndexFunc(t.pending, func(p *publication) bool { return !p.over })
	return i >= 0 && t.pending[i].n <= l.behind
}

// wake lets Run look again.
func (t *Transcript) wake() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

type transcribed struct {
	mqttlink.Client
	t     *Transcript
	stats func() mqttlink.Stats
}

// Publish has the line printed when the broker has the message.
func (c transcribed) Publish(ctx context.Context, m mqttlink.Message) error {
	p := c.t.expect(m, c.stats) // before an answer can come
	m.Delivered = func() { c.t.delivered(p) }
	err := c.Client.Publish(ctx, m)
	if !mqttlink.Accepted(err) {
		c.t.forget(p)
		return err
	}
	if s := c.stats(); s.State != mqttlink.Online && s.LastError != "" || s.Waiting > 0 {
		c.t.queued(p)
	}
	return err
}

func (c transcribed) Subscribe(filter string, qos byte, h mqttlink.Handler) (func(), error) {
	return c.Client.Subscribe(filter, qos, c.printing(h))
}

func (c transcribed) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (func(), error) {
	return c.Client.SubscribeAll(filters, qos, c.printing(h))
}

func (c transcribed) printing(h mqttlink.Handler) mqttlink.Handler {
	return func(ctx context.Context, m mqttlink.Message) {
		c.t.received("Received message on topic " + line(m))
		h(ctx, m)
	}
}

func line(m mqttlink.Message) string {
	return Escape(quietlog.Clip(m.Topic, topicAtMost)) + ": " + Printable(m.Payload)
}

// expect notes a message that is about to be published.
func (t *Transcript) expect(m mqttlink.Message, stats func() mqttlink.Stats) *publication {
	p := &publication{text: line(m), stats: stats}
	p.late = time.AfterFunc(grace, func() { t.queued(p) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.published++
	p.n = t.published
	if len(t.pending) == pendingMost {
		t.remove(t.pending[0])
	}
	t.pending = append(t.pending, p)
	return p
}

// delivered prints that the broker has a message.
func (t *Transcript) delivered(p *publication) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := !p.over; t.remove(p) {
		t.about(p, first, "Published topic "+p.text)
	}
}

// forget drops a message that was not taken.
func (t *Transcript) forget(p *publication) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(p)
}

// queued prints that a message waits, once.
func (t *Transcript) queued(p *publication) {
	s := p.stats()
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.over {
		return
	}
	t.settle(p)
	t.about(p, true, fmt.Sprintf("Queued topic %s, %d wait: %s", p.text, s.Outbox.Messages, reason(&s)))
}

// reason is why messages wait.
func reason(s *mqttlink.Stats) string {
	switch {
	case s.LastError != "":
		return Escape(s.LastError)
	case s.Waiting > 0:
		return "this machine's clock is not known to be right yet"
	case s.State == mqttlink.Online:
		return "the broker has not acknowledged it yet"
	}
	return "no answer from the broker yet"
}

// remove takes p out of those that wait, and reports whether it was among them; t.mu is
// held.
func (t *Transcript) remove(p *publication) bool {
	i := slices.Index(t.pending, p)
	if i < 0 {
		return false
	}
	t.pending = slices.Delete(t.pending, i, i+1)
	t.settle(p)
	return true
}

// settle notes that no line has to wait for p any more; t.mu is held.
func (t *Transcript) settle(p *publication) {
	if !p.over {
		p.over = true
		p.late.Stop()
		t.wake()
	}
}

// about queues a line about p: the first before the lines that wait for it. t.mu is held.
func (t *Transcript) about(p *publication, first bool, text string) {
	if text = t.within(t.ours, text); text == "" {
		return
	}
	if first {
		t.lines.insert(text, p.n)
	} else {
		t.lines.add(queuedLine{text: text})
	}
	t.wake()
}

// received queues the line of a message that has arrived.
func (t *Transcript) received(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text = t.within(t.others, text); text != "" {
		t.lines.add(queuedLine{text: text, behind: t.published, until: time.Now().Add(orderPatience)})
		t.wake()
	}
}

// within returns a line with its end, and before it how many were left out; "" if there are
// more than the rate allows. t.mu is held.
func (t *Transcript) within(rate *quietlog.Rate, text string) string {
	if !rate.Pass(time.Now()) {
		return ""
	}
	if n := t.ours.LeftOut() + t.others.LeftOut(); n > 0 {
		text = fmt.Sprintf("(%d lines left out: more than %d messages a second)%s%s", n, lineRate, t.end, text)
	}
	return text + t.end
}
